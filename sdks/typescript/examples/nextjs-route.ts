// A receiver in Next.js, as app/hook/route.ts. It runs on Node.js and on the edge.
import { VerificationError, Verifier } from "@patchbay/sdk";

const verifier = new Verifier(process.env.PATCHBAY_SECRET ?? "");

export async function POST(request: Request): Promise<Response> {
  try {
    const event = verifier.verify(request.headers, await request.text());
    console.log(request.headers.get("webhook-id"), event.type);
    return new Response(null, { status: 204 });
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    return new Response(error.message, { status: 400 });
  }
}
