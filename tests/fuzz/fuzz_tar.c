/* Tar headers: an archive walked block by block, as the reader of archives does; each header as it came. */
#include "fuzz.h"

#include "protocol/tar.h"

static void check_entry(struct tar_entry *entry)
{
	uint8_t header[TAR_HEADER_MAX];
	struct tar_entry again;
	const char *why;

	CHECK(strnlen(entry->name, TAR_NAME_MAX) < TAR_NAME_MAX);
	CHECK(strnlen(entry->link, TAR_NAME_MAX) < TAR_NAME_MAX);
	CHECK(entry->size <= INT64_MAX);
	if (!tar_name_clean(entry->name))
		return;
	CHECK(entry->name[0] && entry->name[0] != '/' && !strstr(entry->name, "//"));
	if (entry->kind == TAR_FILE && strlen(entry->name) <= 100 && entry->size < 1 << 30) {
		CHECK(tar_header_write(header, entry->name, entry->size) == TAR_BLOCK);
		CHECK(tar_header_read(header, &again, &why));
		CHECK(strcmp(again.name, entry->name) == 0 && again.size == entry->size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct tar_extra extra = {0};
	struct tar_entry entry;
	const char *why = NULL;

	while (len >= TAR_BLOCK) {
		bool good = tar_header_read(at, &entry, &why);

		at += TAR_BLOCK;
		len -= TAR_BLOCK;
		if (!good)
			break;
		tar_extra_apply(&extra, &entry);
		check_entry(&entry);
		if (entry.size > len)
			break;
		if (entry.kind == TAR_PAX || entry.kind == TAR_LONG_NAME ||
		    entry.kind == TAR_LONG_LINK)
			tar_extra_read(entry.kind, slice_of((const char *)at, (size_t)entry.size),
			    &extra, &why);
		size_t skip = (size_t)entry.size + tar_padding(entry.size);
		if (skip > len)
			break;
		at += skip;
		len -= skip;
	}
	extra = (struct tar_extra){0};
	tar_extra_read(TAR_PAX, slice_of((const char *)at, len), &extra, &why);
	return 0;
}
