// The Node half of soak_agreement.py: what the adapter's canonicaliser makes of blocks, told by its SHA-256.
//
// A block comes on standard input: one character, its length in ten digits, and so many bytes. Of `t`, texts, each with
// a line feed, each is read and written again, with a line feed; `d`, doubles, little-endian, are one array. The answer
// is a line, the SHA-256 of what was written. For a closer look at one of them, `T` and `D` get it whole, in hex.
import { createHash } from 'node:crypto';
import { readSync, writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const { canonicalize, parse } = await import(pathToFileURL(process.argv[2]));

function take(length) {
  const taken = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const read = readSync(0, taken, at, length - at, null);
    if (read === 0) process.exit(0); // there is no more to do
    at += read;
  }
  return taken;
}

function texts(block) {
  const forms = [];
  for (let at = 0, end; (end = block.indexOf(10, at)) >= 0; at = end + 1) {
    forms.push(canonicalize(parse(block.subarray(at, end))), Buffer.of(10));
  }
  return Buffer.concat(forms);
}

const doubles = (block) => canonicalize(Array.from({ length: block.length / 8 }, (_, at) => block.readDoubleLE(8 * at)));

for (;;) {
  const head = take(11).toString();
  const block = take(Number(head.slice(1)));
  const forms = head[0].toLowerCase() === 't' ? texts(block) : doubles(block);
  const whole = head[0] === 'T' || head[0] === 'D';
  writeSync(1, (whole ? forms.toString('hex') : createHash('sha256').update(forms).digest('hex')) + '\n');
}
