"""The bucket of exports: files that are written in parts, and links to them.

A file is a multipart upload, so that it can be written in slices, by several processes: a part is replaced if
it is uploaded again. Each part except the last has at least 5 MiB (a limit of S3). A lifecycle rule of the
bucket deletes files after KEPT_DAYS, and uploads that were not completed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from patchbay import aws
from patchbay.settings import settings

KEPT_DAYS = 7
MIN_PART_BYTES = 5 * 1024 * 1024


def start(key: str) -> str:
    """Start a file. Returns the ID of its upload."""
    response = _call("CreateMultipartUpload", Key=key, ContentType="application/x-ndjson")
    return str(response["UploadId"])


def put_part(key: str, upload: str, number: int, content: bytes) -> None:
    """Write a part, from 1 on. Safe to repeat."""
    _call("UploadPart", Key=key, UploadId=upload, PartNumber=number, Body=content)


def complete(key: str, upload: str, count: int) -> int:
    """Assemble a file from its first `count` parts, and return its size in bytes. Safe to repeat: if the
    upload is gone, an earlier attempt has completed the file.
    """
    try:
        with aws.expecting("NoSuchUpload"):
            parts = [part for part in _parts(key, upload) if part["PartNumber"] <= count]
        listed = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts]
        _call("CompleteMultipartUpload", Key=key, UploadId=upload, MultipartUpload={"Parts": listed})
    except aws.ServiceError as error:
        if error.code != "NoSuchUpload":
            raise
        return int(_call("HeadObject", Key=key)["ContentLength"])
    return sum(int(part["Size"]) for part in parts)


def delete_all(prefix: str) -> int:
    """Delete all files and unfinished uploads under a prefix. Returns their number."""
    deleted = 0
    while uploads := _call("ListMultipartUploads", Prefix=prefix).get("Uploads", []):
        for upload in uploads:
            _call("AbortMultipartUpload", Key=upload["Key"], UploadId=upload["UploadId"])
        deleted += len(uploads)
    while files := _call("ListObjectsV2", Prefix=prefix).get("Contents", []):
        for file in files:
            _call("DeleteObject", Key=file["Key"])
        deleted += len(files)
    return deleted


def link(key: str, file_name: str, seconds: int) -> str | None:
    """A URL that reads a file without credentials for this many seconds, with the rights of this function;
    None if the file is gone.
    """
    try:
        with aws.expecting("404"):
            _call("HeadObject", Key=key)
    except aws.ServiceError as error:
        if error.status != 404:
            raise
        return None
    params = {
        "Bucket": settings().exports_bucket,
        "Key": key,
        "ResponseContentDisposition": f'attachment; filename="{file_name}"',
    }
    url: str = aws.s3_client().generate_presigned_url("get_object", Params=params, ExpiresIn=seconds)
    return url


def _parts(key: str, upload: str) -> Iterator[dict[str, Any]]:
    marker = 0
    while True:
        response = _call("ListParts", Key=key, UploadId=upload, PartNumberMarker=marker)
        yield from response.get("Parts", [])
        if not response.get("IsTruncated"):
            return
        marker = int(response["NextPartNumberMarker"])


def _call(operation: str, **params: object) -> dict[str, Any]:
    return aws.call("s3", operation, {"Bucket": settings().exports_bucket, **params})
