/* The program in the images that the scenarios build: prints the version it was built as and, for each file named on its
 * command line, a checksum, so that what is run is what was pushed. */
#include <stdio.h>
#include <zlib.h>

static unsigned char buffer[1 << 20];

static int checksum(const char *path)
{
	FILE *file = fopen(path, "rb");
	uLong crc = crc32(0, NULL, 0);
	size_t count;

	if (!file)
		return -1;
	while ((count = fread(buffer, 1, sizeof buffer, file)) > 0)
		crc = crc32(crc, buffer, (uInt)count);
	fclose(file);
	printf("%s %08lx\n", path, crc);
	return 0;
}

int main(int argc, char **argv)
{
	char version[100];
	FILE *file = fopen("/version", "r");

	if (!file || !fgets(version, sizeof version, file))
		return 1;
	fclose(file);
	printf("version %s\n", version);
	for (int i = 1; i < argc; i++) {
		if (checksum(argv[i]) < 0)
			return 1;
	}
	return 0;
}
