// The scenario of ../../test_sdk.py with the AWS SDK for Java v2: java Scenario ENDPOINT

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.GsonBuilder;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.DefaultRetryStrategy;
import software.amazon.awssdk.services.ecr.EcrClient;
import software.amazon.awssdk.services.ecr.model.EcrException;
import software.amazon.awssdk.services.ecr.model.ImageDetail;
import software.amazon.awssdk.services.ecr.model.ImageFailure;
import software.amazon.awssdk.services.ecr.model.ImageIdentifier;
import software.amazon.awssdk.services.ecr.model.PutImageResponse;
import software.amazon.awssdk.services.ecr.model.Repository;

public class Scenario {
    private static final String REPOSITORY = "team/app";
    private static final int PART_SIZE = 5 << 20;

    private final String endpoint;
    private final EcrClient ecr;
    private final HttpClient http = HttpClient.newHttpClient();

    Scenario(String endpoint) {
        this.endpoint = endpoint;
        ecr = EcrClient.builder()
                .endpointOverride(URI.create(endpoint))
                .region(Region.US_EAST_1)
                .credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create("test", "test")))
                .httpClient(UrlConnectionHttpClient.create())
                .overrideConfiguration(settings -> settings.retryStrategy(DefaultRetryStrategy.doNotRetry()))
                .build();
    }

    private static String digestOf(byte[] data) throws Exception {
        return "sha256:" + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(data));
    }

    /** What a call is refused with, as the SDK tells it. */
    private static Map<String, Object> refused(Callable<?> call) throws Exception {
        try {
            call.call();
        } catch (EcrException error) {
            return Map.of(
                    "type", error.getClass().getSimpleName(), "code", error.awsErrorDetails().errorCode(),
                    "message", error.awsErrorDetails().errorMessage(), "status", error.statusCode());
        }
        throw new IllegalStateException("a call succeeded that was to be refused");
    }

    private Repository createRepository(String name) {
        return ecr.createRepository(request -> request.repositoryName(name)).repository();
    }

    private Object createRepositories() {
        Repository made = createRepository(REPOSITORY);
        createRepository("team/db");
        createRepository("team/web");
        return Map.of(
                "name", made.repositoryName(), "uri", made.repositoryUri(),
                "mutability", made.imageTagMutabilityAsString());
    }

    private int statusOf(HttpRequest.Builder request) throws Exception {
        return http.send(request.build(), BodyHandlers.discarding()).statusCode();
    }

    private HttpRequest.Builder get(String address) {
        return HttpRequest.newBuilder(URI.create(address)).version(HttpClient.Version.HTTP_1_1);
    }

    private Object login() throws Exception {
        String token = ecr.getAuthorizationToken().authorizationData().get(0).authorizationToken();
        String pair = new String(Base64.getDecoder().decode(token), UTF_8);
        String address = endpoint + "/v2/";
        return Map.of(
                "user", pair.split(":")[0], "anonymous", statusOf(get(address)),
                "token", statusOf(get(address).header("Authorization", "Basic " + token)));
    }

    /** A blob through the layer API, in parts of 5 MiB. */
    private String upload(byte[] data) throws Exception {
        String id = ecr.initiateLayerUpload(request -> request.repositoryName(REPOSITORY)).uploadId();
        for (int at = 0; at < data.length; at += PART_SIZE) {
            int first = at;
            int end = Math.min(first + PART_SIZE, data.length);
            ecr.uploadLayerPart(request -> request.repositoryName(REPOSITORY).uploadId(id)
                    .partFirstByte((long) first).partLastByte((long) end - 1)
                    .layerPartBlob(SdkBytes.fromByteArray(Arrays.copyOfRange(data, first, end))));
        }
        String digest = digestOf(data);
        return ecr.completeLayerUpload(request -> request.repositoryName(REPOSITORY).uploadId(id).layerDigests(digest))
                .layerDigest();
    }

    private Object layer(String digest) throws Exception {
        var found = ecr.batchCheckLayerAvailability(
                request -> request.repositoryName(REPOSITORY).layerDigests(digest)).layers().get(0);
        String link = ecr.getDownloadUrlForLayer(
                request -> request.repositoryName(REPOSITORY).layerDigest(digest)).downloadUrl();
        byte[] downloaded = http.send(get(link).build(), BodyHandlers.ofByteArray()).body();
        return Map.of(
                "digest", digest, "availability", found.layerAvailabilityAsString(), "size", found.layerSize(),
                "downloaded", digestOf(downloaded));
    }

    private static String manifestOf(String config, int configSize, String layer, int layerSize, String version) {
        return """
                {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",\
                "config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%d},\
                "layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"%s","size":%d}],\
                "annotations":{"org.opencontainers.image.version":"%s"}}"""
                .formatted(config, configSize, layer, layerSize, version);
    }

    private PutImageResponse putImage(String manifest, String tag) {
        return ecr.putImage(request -> request.repositoryName(REPOSITORY).imageManifest(manifest).imageTag(tag));
    }

    private Object list() {
        List<Integer> pages = new ArrayList<>();
        List<String> tags = new ArrayList<>();
        for (var page : ecr.listImagesPaginator(request -> request.repositoryName(REPOSITORY).maxResults(1))) {
            pages.add(page.imageIds().size());
            page.imageIds().forEach(image -> tags.add(image.imageTag()));
        }
        return Map.of("pages", pages, "tags", tags.stream().sorted().toList());
    }

    private Object describe() {
        List<Integer> pages = new ArrayList<>();
        List<ImageDetail> images = new ArrayList<>();
        for (var page : ecr.describeImagesPaginator(request -> request.repositoryName(REPOSITORY).maxResults(2))) {
            pages.add(page.imageDetails().size());
            images.addAll(page.imageDetails());
        }
        return Map.of(
                "pages", pages, "tags", images.stream().flatMap(image -> image.imageTags().stream()).sorted().toList(),
                "sizes", images.stream().map(ImageDetail::imageSizeInBytes).toList());
    }

    private Object repositories() {
        return ecr.describeRepositoriesPaginator(request -> request.maxResults(2)).stream()
                .map(page -> page.repositories().stream().map(Repository::repositoryName).toList()).toList();
    }

    private static List<ImageIdentifier> tagged(String... tags) {
        return Arrays.stream(tags).map(tag -> ImageIdentifier.builder().imageTag(tag).build()).toList();
    }

    private static List<String> codesOf(List<ImageFailure> failures) {
        return failures.stream().map(ImageFailure::failureCodeAsString).toList();
    }

    private Object getImages() throws Exception {
        var answer = ecr.batchGetImage(
                request -> request.repositoryName(REPOSITORY).imageIds(tagged("v1", "none")));
        List<String> manifests = new ArrayList<>();
        for (var image : answer.images()) {
            manifests.add(digestOf(image.imageManifest().getBytes(UTF_8)));
        }
        return Map.of("manifests", manifests, "failures", codesOf(answer.failures()));
    }

    private Object deleteImages() {
        var answer = ecr.batchDeleteImage(
                request -> request.repositoryName(REPOSITORY).imageIds(tagged("v3", "none")));
        return Map.of(
                "tags", answer.imageIds().stream().map(ImageIdentifier::imageTag).toList(),
                "failures", codesOf(answer.failures()));
    }

    private Object refusals(String manifest) throws Exception {
        return Map.of(
                "again", refused(() -> createRepository(REPOSITORY)),
                "quota", refused(() -> createRepository("team/fourth")),
                "name", refused(() -> createRepository("Team")),
                "unknown", refused(() -> ecr.describeRepositories(request -> request.repositoryNames("none"))),
                "image", refused(() -> ecr.describeImages(
                        request -> request.repositoryName(REPOSITORY).imageIds(tagged("none")))),
                "same image", refused(() -> putImage(manifest, "v1")),
                "not empty", refused(() -> ecr.deleteRepository(request -> request.repositoryName(REPOSITORY))));
    }

    private Map<String, Object> run() throws Exception {
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("create", createRepositories());
        result.put("login", login());

        byte[] data = new byte[PART_SIZE + 1000];
        for (int i = 0; i < data.length; i++) {
            data[i] = (byte) (i % 251);
        }
        byte[] config = "{\"architecture\":\"amd64\",\"os\":\"linux\"}".getBytes(UTF_8);
        String configDigest = upload(config);
        String layerDigest = upload(data);

        Map<String, String> images = new LinkedHashMap<>();
        for (String tag : List.of("v1", "v2", "v3")) {
            String manifest = manifestOf(configDigest, config.length, layerDigest, data.length, tag);
            images.put(tag, putImage(manifest, tag).image().imageId().imageDigest());
        }
        result.put("images", images);
        result.put("layer", layer(layerDigest));
        result.put("list", list());
        result.put("describe", describe());
        result.put("repositories", repositories());
        result.put("get", getImages());
        result.put("refusals", refusals(manifestOf(configDigest, config.length, layerDigest, data.length, "v1")));
        result.put("delete", deleteImages());
        result.put("deleted", ecr.deleteRepository(
                request -> request.repositoryName(REPOSITORY).force(true)).repository().repositoryName());
        return result;
    }

    public static void main(String[] arguments) throws Exception {
        System.out.println(new GsonBuilder().disableHtmlEscaping().create().toJson(new Scenario(arguments[0]).run()));
    }
}
