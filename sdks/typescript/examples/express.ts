// A receiver with Express: PATCHBAY_SECRET=whsec_… npx tsx express.ts
import { VerificationError, Verifier } from "@patchbay/sdk";
import express from "express";

const verifier = new Verifier(process.env.PATCHBAY_SECRET ?? "");
const app = express();

// The signature is over the raw bytes: no JSON parser before this route.
app.post("/hook", express.raw({ type: "*/*", limit: "1mb" }), (request, response) => {
  try {
    const event = verifier.verify(request.headers, request.body as Buffer);
    response.status(204).end();
    // Work after the answer. A repeated event has the same webhook-id.
    console.log(request.headers["webhook-id"], event.type);
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    response.status(400).send(error.message);
  }
});

app.listen(Number(process.env.PORT ?? 8000), "127.0.0.1");
