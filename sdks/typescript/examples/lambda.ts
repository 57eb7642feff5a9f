// A receiver on AWS Lambda, behind a function URL or an HTTP API.
import { VerificationError, Verifier } from "@patchbay/sdk";

const verifier = new Verifier(process.env.PATCHBAY_SECRET ?? "");

interface HttpRequest {
  headers: Record<string, string>;
  body?: string;
  isBase64Encoded: boolean;
}

export async function handler(request: HttpRequest): Promise<{ statusCode: number; body?: string }> {
  // AWS encodes a body whose bytes are not plain text. The signature is over the original bytes.
  const raw = Buffer.from(request.body ?? "", request.isBase64Encoded ? "base64" : "utf8");
  try {
    const event = verifier.verify(request.headers, raw);
    console.log(request.headers["webhook-id"], event.type);
    return { statusCode: 204 };
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    return { statusCode: 400, body: error.message };
  }
}
