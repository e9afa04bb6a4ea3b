// Mistakes as Node makes them: reads jobs from standard input, writes what each sends to standard output.
//
// A job: {mistake, text, apiKey, secret, now, nonce, apiKeyId, keyId}. What is sent: {headers, body in base64}.
import { createHash, createHmac } from "node:crypto";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const sha256 = (data) => createHash("sha256").update(data);
const withoutNulls = (name, value) => (value === null ? undefined : value);

function secretFile(secret) {
  const path = join(mkdtempSync(join(tmpdir(), "mistake-")), "secret");
  writeFileSync(path, secret + "\n");
  return readFileSync(path);
}

// What each does otherwise than it should; `it` has everything that goes into a request.
const mistakes = {
  none: () => {},
  reserialized_json_stringify: (it) => { it.body = Buffer.from(JSON.stringify(JSON.parse(it.text))); },
  signed_json_stringify: (it) => { it.signed = Buffer.from(JSON.stringify(JSON.parse(it.text))); },
  reserialized_indented: (it) => { it.body = Buffer.from(JSON.stringify(JSON.parse(it.text), null, 2)); },
  signed_indented: (it) => { it.signed = Buffer.from(JSON.stringify(JSON.parse(it.text), null, "\t")); },
  signed_nulls_dropped: (it) => { it.signed = Buffer.from(JSON.stringify(JSON.parse(it.text), withoutNulls)); },
  signed_nfc: (it) => { it.signed = Buffer.from(it.text.normalize("NFC")); },
  signed_latin1: (it) => { it.signed = Buffer.from(it.text, "latin1"); },
  signed_latin1_twice: (it) => { it.signed = Buffer.from(it.body.toString("latin1")); },
  signed_utf16: (it) => { it.signed = Buffer.from(it.text, "utf16le"); },
  body_latin1_twice: (it) => { it.body = Buffer.from(it.body.toString("binary")); },
  body_replaced: (it) => {
    const middle = it.body.indexOf(Buffer.from("é")) + 1;
    it.body = Buffer.from(it.body.subarray(0, middle).toString() + it.body.subarray(middle).toString());
  },
  body_gzip: (it) => { it.body = gzipSync(it.body); },
  body_base64: (it) => { it.body = Buffer.from(it.body.toString("base64")); },
  body_json_string: (it) => { it.body = Buffer.from(JSON.stringify(it.text)); },
  body_bom_added: (it) => { it.body = Buffer.from("\ufeff" + it.text); },
  secret_newline: (it) => { it.key = secretFile(it.key); },
  secret_base64_decoded: (it) => { it.key = Buffer.from(it.key, "base64"); },
  secret_hex_decoded: (it) => { it.key = Buffer.from(it.key, "hex"); },
  secret_unset: (it) => { it.key = `${process.env.RP_SECRET_THAT_IS_NOT_SET}`; },
  timestamp_milliseconds: (it) => { it.lineTimestamp = String(new Date(it.now * 1000 + 417).getTime()); },
  timestamp_rendered: (it) => { it.lineTimestamp = new Date(it.now * 1000).toISOString(); },
  nonce_rewritten: (it) => { it.lineNonce = Buffer.from(it.nonce, "base64url").toString("base64"); },
  length_in_characters: (it) => { it.length = it.text.length; },
  digest_base64: (it) => { it.digest = "base64"; },
  mac_base64: (it) => { it.spell = (mac) => mac.toString("base64"); },
  hmac_arguments_swapped: (it) => { it.mac = (key, message) => createHmac("sha256", message).update(key).digest(); },
};

function send(job) {
  const it = {
    ...job,
    key: job.secret,
    body: Buffer.from(job.text),
    mac: (key, message) => createHmac("sha256", key).update(message).digest(),
    spell: (mac) => "sha256=" + mac.toString("hex"),
    digest: "hex",
  };
  mistakes[job.mistake](it);
  const signed = it.signed ?? Buffer.from(job.text);
  const message = [
    "RP1-HMAC-SHA256", "request", job.apiKeyId, job.keyId, it.lineTimestamp ?? job.now, it.lineNonce ?? job.nonce,
    it.length ?? signed.length, sha256(signed).digest(it.digest),
  ].join("\n");
  const headers = {
    "Content-Type": "application/json",
    "X-RP-Api-Key": job.apiKey,
    "X-RP-Key-Id": job.keyId,
    "X-RP-Timestamp": String(job.now),
    "X-RP-Nonce": job.nonce,
    "X-RP-Signature": it.spell(it.mac(it.key, message)),
  };
  return { headers, body: it.body.toString("base64") };
}

const jobs = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify({ names: Object.keys(mistakes), sent: jobs.map(send) }));
