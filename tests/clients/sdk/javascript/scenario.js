// The scenario of ../../test_sdk.py with the AWS SDK for JavaScript v3: node scenario.js ENDPOINT

import { createHash } from "node:crypto";

import * as sdk from "@aws-sdk/client-ecr";

const endpoint = process.argv[2];
const repositoryName = "team/app";
const ecr = new sdk.ECR({
  endpoint,
  region: "us-east-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
  maxAttempts: 1,
});

const digestOf = (data) => `sha256:${createHash("sha256").update(data).digest("hex")}`;

/** What a call is refused with, as the SDK tells it. */
async function refused(call) {
  try {
    await call;
  } catch (error) {
    const { httpStatusCode: status } = error.$metadata;
    return { type: error.constructor.name, code: error.name, message: error.message, status };
  }
  throw new Error("a call succeeded that was to be refused");
}

async function pages(paginator, read) {
  const found = [];
  for await (const page of paginator) found.push(read(page));
  return found;
}

async function createRepositories() {
  const { repository } = await ecr.createRepository({ repositoryName });
  await ecr.createRepository({ repositoryName: "team/db" });
  await ecr.createRepository({ repositoryName: "team/web" });
  return { name: repository.repositoryName, uri: repository.repositoryUri, mutability: repository.imageTagMutability };
}

async function login() {
  const { authorizationData } = await ecr.getAuthorizationToken({});
  const token = authorizationData[0].authorizationToken;
  const anonymous = await fetch(`${endpoint}/v2/`);
  const known = await fetch(`${endpoint}/v2/`, { headers: { Authorization: `Basic ${token}` } });
  const [user] = Buffer.from(token, "base64").toString().split(":");
  return { user, anonymous: anonymous.status, token: known.status };
}

/** A blob through the layer API, in parts of 5 MiB. */
async function upload(data) {
  const { uploadId } = await ecr.initiateLayerUpload({ repositoryName });
  for (let first = 0; first < data.length; first += 5 << 20) {
    const layerPartBlob = data.subarray(first, first + (5 << 20));
    const partLastByte = first + layerPartBlob.length - 1;
    await ecr.uploadLayerPart({ repositoryName, uploadId, partFirstByte: first, partLastByte, layerPartBlob });
  }
  const { layerDigest } = await ecr.completeLayerUpload({ repositoryName, uploadId, layerDigests: [digestOf(data)] });
  return layerDigest;
}

async function layer(digest) {
  const { layers } = await ecr.batchCheckLayerAvailability({ repositoryName, layerDigests: [digest] });
  const { downloadUrl } = await ecr.getDownloadUrlForLayer({ repositoryName, layerDigest: digest });
  const downloaded = Buffer.from(await (await fetch(downloadUrl)).arrayBuffer());
  return { digest, availability: layers[0].layerAvailability, size: layers[0].layerSize, downloaded: digestOf(downloaded) };
}

function manifestOf(config, configSize, layer, layerSize, version) {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: config, size: configSize },
    layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: layer, size: layerSize }],
    annotations: { "org.opencontainers.image.version": version },
  });
}

async function putImages(manifests) {
  const digests = {};
  for (const [imageTag, imageManifest] of Object.entries(manifests)) {
    const { image } = await ecr.putImage({ repositoryName, imageManifest, imageTag });
    digests[imageTag] = image.imageId.imageDigest;
  }
  return digests;
}

async function lists() {
  const settings = (pageSize) => ({ client: ecr, pageSize });
  const tagged = await pages(sdk.paginateListImages(settings(1), { repositoryName }), (page) => page.imageIds);
  const details = await pages(sdk.paginateDescribeImages(settings(2), { repositoryName }), (page) => page.imageDetails);
  const repositories = await pages(sdk.paginateDescribeRepositories(settings(2), {}), (page) =>
    page.repositories.map((one) => one.repositoryName),
  );
  return {
    list: { pages: tagged.map((page) => page.length), tags: tagged.flat().map((one) => one.imageTag).sort() },
    describe: {
      pages: details.map((page) => page.length),
      tags: details.flatMap((page) => page.flatMap((one) => one.imageTags)).sort(),
      sizes: details.flat().map((one) => one.imageSizeInBytes),
    },
    repositories,
  };
}

async function getImages() {
  const imageIds = [{ imageTag: "v1" }, { imageTag: "none" }];
  const { images, failures } = await ecr.batchGetImage({ repositoryName, imageIds });
  return { manifests: images.map((one) => digestOf(one.imageManifest)), failures: failures.map((one) => one.failureCode) };
}

async function deleteImages() {
  const imageIds = [{ imageTag: "v3" }, { imageTag: "none" }];
  const answer = await ecr.batchDeleteImage({ repositoryName, imageIds });
  return { tags: answer.imageIds.map((one) => one.imageTag), failures: answer.failures.map((one) => one.failureCode) };
}

async function refusals(manifest) {
  return {
    again: await refused(ecr.createRepository({ repositoryName })),
    quota: await refused(ecr.createRepository({ repositoryName: "team/fourth" })),
    name: await refused(ecr.createRepository({ repositoryName: "Team" })),
    unknown: await refused(ecr.describeRepositories({ repositoryNames: ["none"] })),
    image: await refused(ecr.describeImages({ repositoryName, imageIds: [{ imageTag: "none" }] })),
    "same image": await refused(ecr.putImage({ repositoryName, imageManifest: manifest, imageTag: "v1" })),
    "not empty": await refused(ecr.deleteRepository({ repositoryName })),
  };
}

const result = { create: await createRepositories(), login: await login() };
const data = Buffer.alloc((5 << 20) + 1000).map((_, i) => i % 251);
const config = Buffer.from('{"architecture":"amd64","os":"linux"}');
const configDigest = await upload(config);
const layerDigest = await upload(data);
const manifests = {};
for (const tag of ["v1", "v2", "v3"]) {
  manifests[tag] = manifestOf(configDigest, config.length, layerDigest, data.length, tag);
}
result.images = await putImages(manifests);
result.layer = await layer(layerDigest);
Object.assign(result, await lists());
result.get = await getImages();
result.refusals = await refusals(manifests.v1);
result.delete = await deleteImages();
const { repository } = await ecr.deleteRepository({ repositoryName, force: true });
result.deleted = repository.repositoryName;
console.log(JSON.stringify(result));
