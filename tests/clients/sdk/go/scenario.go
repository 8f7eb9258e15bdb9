// The scenario of ../../test_sdk.py with the AWS SDK for Go v2: scenario ENDPOINT
package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"reflect"
	"sort"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
)

const partSize = 5 << 20

type object = map[string]any

var (
	background = context.Background()
	repository = aws.String("team/app")
	client     *ecr.Client
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func digestOf(data []byte) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256(data))
}

// What a call is refused with, as the SDK tells it.
func refused[T any](_ T, err error) object {
	var known smithy.APIError
	var response *awshttp.ResponseError
	if !errors.As(err, &known) || !errors.As(err, &response) {
		log.Fatal("a call was not refused: ", err)
	}
	return object{
		"type": reflect.TypeOf(known).Elem().Name(), "code": known.ErrorCode(), "message": known.ErrorMessage(),
		"status": response.HTTPStatusCode(),
	}
}

func createRepository(name *string) (*ecr.CreateRepositoryOutput, error) {
	return client.CreateRepository(background, &ecr.CreateRepositoryInput{RepositoryName: name})
}

func createRepositories() object {
	made := must(createRepository(repository)).Repository
	must(createRepository(aws.String("team/db")))
	must(createRepository(aws.String("team/web")))
	return object{"name": made.RepositoryName, "uri": made.RepositoryUri, "mutability": made.ImageTagMutability}
}

func statusOf(url, authorization string) int {
	request := must(http.NewRequest("GET", url, nil))
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response := must(http.DefaultClient.Do(request))
	defer response.Body.Close()
	return response.StatusCode
}

func login(endpoint string) object {
	answer := must(client.GetAuthorizationToken(background, &ecr.GetAuthorizationTokenInput{}))
	token := *answer.AuthorizationData[0].AuthorizationToken
	user, _, _ := strings.Cut(string(must(base64.StdEncoding.DecodeString(token))), ":")
	return object{
		"user": user, "anonymous": statusOf(endpoint+"/v2/", ""), "token": statusOf(endpoint+"/v2/", "Basic "+token),
	}
}

// A blob through the layer API, in parts of 5 MiB.
func upload(data []byte) string {
	begun := must(client.InitiateLayerUpload(background, &ecr.InitiateLayerUploadInput{RepositoryName: repository}))
	for first := 0; first < len(data); first += partSize {
		part := data[first:min(first+partSize, len(data))]
		must(client.UploadLayerPart(background, &ecr.UploadLayerPartInput{
			RepositoryName: repository, UploadId: begun.UploadId, LayerPartBlob: part,
			PartFirstByte: aws.Int64(int64(first)), PartLastByte: aws.Int64(int64(first + len(part) - 1)),
		}))
	}
	completed := must(client.CompleteLayerUpload(background, &ecr.CompleteLayerUploadInput{
		RepositoryName: repository, UploadId: begun.UploadId, LayerDigests: []string{digestOf(data)},
	}))
	return *completed.LayerDigest
}

func layer(digest string) object {
	checked := must(client.BatchCheckLayerAvailability(background, &ecr.BatchCheckLayerAvailabilityInput{
		RepositoryName: repository, LayerDigests: []string{digest},
	})).Layers[0]
	link := must(client.GetDownloadUrlForLayer(background, &ecr.GetDownloadUrlForLayerInput{
		RepositoryName: repository, LayerDigest: aws.String(digest),
	}))
	response := must(http.Get(*link.DownloadUrl))
	defer response.Body.Close()
	return object{
		"digest": digest, "availability": checked.LayerAvailability, "size": checked.LayerSize,
		"downloaded": digestOf(must(io.ReadAll(response.Body))),
	}
}

func manifestOf(config string, configSize int, layer string, layerSize int, version string) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
		`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%d},`+
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"%s","size":%d}],`+
		`"annotations":{"org.opencontainers.image.version":"%s"}}`, config, configSize, layer, layerSize, version)
}

func putImage(manifest, tag string) (*ecr.PutImageOutput, error) {
	return client.PutImage(background, &ecr.PutImageInput{
		RepositoryName: repository, ImageManifest: aws.String(manifest), ImageTag: aws.String(tag),
	})
}

func list() object {
	sizes, tags := []int{}, []string{}
	paginator := ecr.NewListImagesPaginator(client, &ecr.ListImagesInput{
		RepositoryName: repository, MaxResults: aws.Int32(1),
	})
	for paginator.HasMorePages() {
		page := must(paginator.NextPage(background))
		sizes = append(sizes, len(page.ImageIds))
		for _, image := range page.ImageIds {
			tags = append(tags, *image.ImageTag)
		}
	}
	sort.Strings(tags)
	return object{"pages": sizes, "tags": tags}
}

func describe() object {
	pages, tags, sizes := []int{}, []string{}, []int64{}
	paginator := ecr.NewDescribeImagesPaginator(client, &ecr.DescribeImagesInput{
		RepositoryName: repository, MaxResults: aws.Int32(2),
	})
	for paginator.HasMorePages() {
		page := must(paginator.NextPage(background))
		pages = append(pages, len(page.ImageDetails))
		for _, image := range page.ImageDetails {
			tags = append(tags, image.ImageTags...)
			sizes = append(sizes, *image.ImageSizeInBytes)
		}
	}
	sort.Strings(tags)
	return object{"pages": pages, "tags": tags, "sizes": sizes}
}

func repositories() [][]string {
	pages := [][]string{}
	paginator := ecr.NewDescribeRepositoriesPaginator(client, &ecr.DescribeRepositoriesInput{MaxResults: aws.Int32(2)})
	for paginator.HasMorePages() {
		names := []string{}
		for _, one := range must(paginator.NextPage(background)).Repositories {
			names = append(names, *one.RepositoryName)
		}
		pages = append(pages, names)
	}
	return pages
}

func failureCodes(failures []types.ImageFailure) []types.ImageFailureCode {
	codes := []types.ImageFailureCode{}
	for _, failure := range failures {
		codes = append(codes, failure.FailureCode)
	}
	return codes
}

func tagged(tags ...string) []types.ImageIdentifier {
	ids := []types.ImageIdentifier{}
	for _, tag := range tags {
		ids = append(ids, types.ImageIdentifier{ImageTag: aws.String(tag)})
	}
	return ids
}

func getImages() object {
	answer := must(client.BatchGetImage(background, &ecr.BatchGetImageInput{
		RepositoryName: repository, ImageIds: tagged("v1", "none"),
	}))
	manifests := []string{}
	for _, image := range answer.Images {
		manifests = append(manifests, digestOf([]byte(*image.ImageManifest)))
	}
	return object{"manifests": manifests, "failures": failureCodes(answer.Failures)}
}

func deleteImages() object {
	answer := must(client.BatchDeleteImage(background, &ecr.BatchDeleteImageInput{
		RepositoryName: repository, ImageIds: tagged("v3", "none"),
	}))
	tags := []string{}
	for _, image := range answer.ImageIds {
		tags = append(tags, *image.ImageTag)
	}
	return object{"tags": tags, "failures": failureCodes(answer.Failures)}
}

func deleteRepository(force bool) (*ecr.DeleteRepositoryOutput, error) {
	return client.DeleteRepository(background, &ecr.DeleteRepositoryInput{RepositoryName: repository, Force: force})
}

func refusals(manifest string) object {
	return object{
		"again": refused(createRepository(repository)),
		"quota": refused(createRepository(aws.String("team/fourth"))),
		"name":  refused(createRepository(aws.String("Team"))),
		"unknown": refused(client.DescribeRepositories(background, &ecr.DescribeRepositoriesInput{
			RepositoryNames: []string{"none"},
		})),
		"image": refused(client.DescribeImages(background, &ecr.DescribeImagesInput{
			RepositoryName: repository, ImageIds: tagged("none"),
		})),
		"same image": refused(putImage(manifest, "v1")),
		"not empty":  refused(deleteRepository(false)),
	}
}

func main() {
	endpoint := os.Args[1]
	client = ecr.New(ecr.Options{
		BaseEndpoint: aws.String(endpoint), Region: "us-east-1", RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	result := object{"create": createRepositories(), "login": login(endpoint)}
	data := make([]byte, partSize+1000)
	for i := range data {
		data[i] = byte(i % 251)
	}
	config := []byte(`{"architecture":"amd64","os":"linux"}`)
	configDigest := upload(config)
	layerDigest := upload(data)
	images, first := object{}, ""
	for _, tag := range []string{"v1", "v2", "v3"} {
		manifest := manifestOf(configDigest, len(config), layerDigest, len(data), tag)
		images[tag] = must(putImage(manifest, tag)).Image.ImageId.ImageDigest
		if first == "" {
			first = manifest
		}
	}
	result["images"] = images
	result["layer"] = layer(layerDigest)
	result["list"] = list()
	result["describe"] = describe()
	result["repositories"] = repositories()
	result["get"] = getImages()
	result["refusals"] = refusals(first)
	result["delete"] = deleteImages()
	result["deleted"] = must(deleteRepository(true)).Repository.RepositoryName
	fmt.Println(string(must(json.Marshal(result))))
}
