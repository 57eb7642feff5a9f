// A receiver in Next.js, as app/hook/route.ts. It runs on Node.js and on the edge.
import { VerificationError, verify } from "@patchbay/sdk";

export async function POST(request: Request): Promise<Response> {
  try {
    const event = verify(request.headers, await request.text(), process.env.PATCHBAY_SECRET ?? "");
    console.log(request.headers.get("webhook-id"), event.type);
    return new Response(null, { status: 204 });
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    return new Response(error.message, { status: 400 });
  }
}
