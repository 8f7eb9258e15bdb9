// The scenario of ../../test_sdk.py with the AWS SDK for Rust: scenario ENDPOINT

use std::error::Error;
use std::fmt::Debug;
use std::io::Read;

use aws_sdk_ecr::config::retry::RetryConfig;
use aws_sdk_ecr::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::operation::create_repository::builders::CreateRepositoryFluentBuilder;
use aws_sdk_ecr::operation::put_image::builders::PutImageFluentBuilder;
use aws_sdk_ecr::primitives::Blob;
use aws_sdk_ecr::types::{ImageFailure, ImageIdentifier};
use aws_sdk_ecr::Client;
use aws_smithy_http_client::Builder;
use base64::prelude::{Engine, BASE64_STANDARD};
use serde_json::{json, Value};
use sha2::{Digest, Sha256};

const REPOSITORY: &str = "team/app";
const PART_SIZE: usize = 5 << 20;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn digest_of(data: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(data))
}

/// What a call is refused with, as the SDK tells it.
fn refused<T, E>(outcome: Result<T, SdkError<E>>) -> Value
where
    E: Debug + ProvideErrorMetadata,
{
    let Err(SdkError::ServiceError(refusal)) = outcome else {
        panic!("a call was not refused by the service");
    };
    let error = refusal.err();
    let variant = format!("{error:?}");
    json!({
        "type": variant.split('(').next(), "code": error.code(), "message": error.message(),
        "status": refusal.raw().status().as_u16(),
    })
}

fn create_repository(ecr: &Client, name: &str) -> CreateRepositoryFluentBuilder {
    ecr.create_repository().repository_name(name)
}

async fn create_repositories(ecr: &Client) -> Outcome<Value> {
    let made = create_repository(ecr, REPOSITORY).send().await?.repository.unwrap();
    create_repository(ecr, "team/db").send().await?;
    create_repository(ecr, "team/web").send().await?;
    Ok(json!({
        "name": made.repository_name, "uri": made.repository_uri,
        "mutability": made.image_tag_mutability.map(|one| one.to_string()),
    }))
}

fn status_of(request: ureq::Request) -> Outcome<u16> {
    match request.call() {
        Ok(response) => Ok(response.status()),
        Err(ureq::Error::Status(status, _)) => Ok(status),
        Err(error) => Err(error.into()),
    }
}

async fn login(ecr: &Client, endpoint: &str) -> Outcome<Value> {
    let answer = ecr.get_authorization_token().send().await?;
    let token = answer.authorization_data()[0].authorization_token().unwrap();
    let pair = String::from_utf8(BASE64_STANDARD.decode(token)?)?;
    let address = format!("{endpoint}/v2/");
    Ok(json!({
        "user": pair.split(':').next(),
        "anonymous": status_of(ureq::get(&address))?,
        "token": status_of(ureq::get(&address).set("Authorization", &format!("Basic {token}")))?,
    }))
}

/// A blob through the layer API, in parts of 5 MiB.
async fn upload(ecr: &Client, data: &[u8]) -> Outcome<String> {
    let begun = ecr.initiate_layer_upload().repository_name(REPOSITORY).send().await?;
    let id = begun.upload_id().unwrap();
    for (number, part) in data.chunks(PART_SIZE).enumerate() {
        let first = (number * PART_SIZE) as i64;
        ecr.upload_layer_part()
            .repository_name(REPOSITORY)
            .upload_id(id)
            .part_first_byte(first)
            .part_last_byte(first + part.len() as i64 - 1)
            .layer_part_blob(Blob::new(part))
            .send()
            .await?;
    }
    let completed = ecr
        .complete_layer_upload()
        .repository_name(REPOSITORY)
        .upload_id(id)
        .layer_digests(digest_of(data))
        .send()
        .await?;
    Ok(completed.layer_digest.unwrap())
}

async fn layer(ecr: &Client, digest: &str) -> Outcome<Value> {
    let checked =
        ecr.batch_check_layer_availability().repository_name(REPOSITORY).layer_digests(digest).send().await?;
    let found = &checked.layers()[0];
    let link = ecr.get_download_url_for_layer().repository_name(REPOSITORY).layer_digest(digest).send().await?;
    let mut downloaded = Vec::new();
    ureq::get(link.download_url().unwrap()).call()?.into_reader().read_to_end(&mut downloaded)?;
    Ok(json!({
        "digest": digest, "availability": found.layer_availability().map(|one| one.as_str()),
        "size": found.layer_size(), "downloaded": digest_of(&downloaded),
    }))
}

fn manifest_of(config: &str, config_size: usize, layer: &str, layer_size: usize, version: &str) -> String {
    format!(
        concat!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","#,
            r#""config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"#,
            r#""layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{}","size":{}}}],"#,
            r#""annotations":{{"org.opencontainers.image.version":"{}"}}}}"#
        ),
        config, config_size, layer, layer_size, version
    )
}

fn put_image(ecr: &Client, manifest: &str, tag: &str) -> PutImageFluentBuilder {
    ecr.put_image().repository_name(REPOSITORY).image_manifest(manifest).image_tag(tag)
}

fn sorted(mut tags: Vec<String>) -> Vec<String> {
    tags.sort();
    tags
}

async fn list(ecr: &Client) -> Outcome<Value> {
    let (mut pages, mut tags) = (vec![], vec![]);
    let mut stream = ecr.list_images().repository_name(REPOSITORY).into_paginator().page_size(1).send();
    while let Some(page) = stream.next().await {
        let images = page?.image_ids.unwrap();
        pages.push(images.len());
        tags.extend(images.into_iter().filter_map(|one| one.image_tag));
    }
    Ok(json!({"pages": pages, "tags": sorted(tags)}))
}

async fn describe(ecr: &Client) -> Outcome<Value> {
    let (mut pages, mut tags, mut sizes) = (vec![], vec![], vec![]);
    let mut stream = ecr.describe_images().repository_name(REPOSITORY).into_paginator().page_size(2).send();
    while let Some(page) = stream.next().await {
        let images = page?.image_details.unwrap();
        pages.push(images.len());
        for image in images {
            sizes.push(image.image_size_in_bytes);
            tags.extend(image.image_tags.unwrap());
        }
    }
    Ok(json!({"pages": pages, "tags": sorted(tags), "sizes": sizes}))
}

async fn repositories(ecr: &Client) -> Outcome<Value> {
    let mut pages = vec![];
    let mut stream = ecr.describe_repositories().into_paginator().page_size(2).send();
    while let Some(page) = stream.next().await {
        let names: Vec<_> = page?.repositories.unwrap().into_iter().map(|one| one.repository_name).collect();
        pages.push(names);
    }
    Ok(json!(pages))
}

fn tagged(tag: &str) -> ImageIdentifier {
    ImageIdentifier::builder().image_tag(tag).build()
}

fn failure_codes(failures: &[ImageFailure]) -> Vec<&str> {
    failures.iter().filter_map(|one| one.failure_code()).map(|code| code.as_str()).collect()
}

async fn get_images(ecr: &Client) -> Outcome<Value> {
    let wanted = ecr.batch_get_image().repository_name(REPOSITORY).image_ids(tagged("v1")).image_ids(tagged("none"));
    let answer = wanted.send().await?;
    let manifests: Vec<_> =
        answer.images().iter().map(|one| digest_of(one.image_manifest().unwrap().as_bytes())).collect();
    Ok(json!({"manifests": manifests, "failures": failure_codes(answer.failures())}))
}

async fn delete_images(ecr: &Client) -> Outcome<Value> {
    let wanted =
        ecr.batch_delete_image().repository_name(REPOSITORY).image_ids(tagged("v3")).image_ids(tagged("none"));
    let answer = wanted.send().await?;
    let tags: Vec<_> = answer.image_ids().iter().map(|one| one.image_tag()).collect();
    Ok(json!({"tags": tags, "failures": failure_codes(answer.failures())}))
}

async fn refusals(ecr: &Client, manifest: &str) -> Value {
    json!({
        "again": refused(create_repository(ecr, REPOSITORY).send().await),
        "quota": refused(create_repository(ecr, "team/fourth").send().await),
        "name": refused(create_repository(ecr, "Team").send().await),
        "unknown": refused(ecr.describe_repositories().repository_names("none").send().await),
        "image": refused(ecr.describe_images().repository_name(REPOSITORY).image_ids(tagged("none")).send().await),
        "same image": refused(put_image(ecr, manifest, "v1").send().await),
        "not empty": refused(ecr.delete_repository().repository_name(REPOSITORY).send().await),
    })
}

fn client(endpoint: &str) -> Client {
    let settings = aws_sdk_ecr::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "scenario"))
        .retry_config(RetryConfig::disabled())
        .http_client(Builder::new().build_http());
    Client::from_conf(settings.build())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let endpoint = std::env::args().nth(1).expect("usage: scenario ENDPOINT");
    let ecr = client(&endpoint);
    let mut result = json!({"create": create_repositories(&ecr).await?, "login": login(&ecr, &endpoint).await?});

    let data: Vec<u8> = (0..PART_SIZE + 1000).map(|i| (i % 251) as u8).collect();
    let config = br#"{"architecture":"amd64","os":"linux"}"#;
    let config_digest = upload(&ecr, config).await?;
    let layer_digest = upload(&ecr, &data).await?;

    let manifest = |tag: &str| manifest_of(&config_digest, config.len(), &layer_digest, data.len(), tag);
    for tag in ["v1", "v2", "v3"] {
        let put = put_image(&ecr, &manifest(tag), tag).send().await?;
        result["images"][tag] = json!(put.image.unwrap().image_id.unwrap().image_digest);
    }
    result["layer"] = layer(&ecr, &layer_digest).await?;
    result["list"] = list(&ecr).await?;
    result["describe"] = describe(&ecr).await?;
    result["repositories"] = repositories(&ecr).await?;
    result["get"] = get_images(&ecr).await?;
    result["refusals"] = refusals(&ecr, &manifest("v1")).await;
    result["delete"] = delete_images(&ecr).await?;
    let deleted = ecr.delete_repository().repository_name(REPOSITORY).force(true).send().await?;
    result["deleted"] = json!(deleted.repository.map(|one| one.repository_name));
    println!("{result}");
    Ok(())
}
