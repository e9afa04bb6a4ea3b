// An RP1 signer and verifier that answers the vectors of ../../README.md. Node 20.15 or newer, no packages.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { canonicalize, parse, pointer, refuse } from './canonical.mjs';
const MEMBER = 'integrity_signature';
const SIGNATURE = /^sha256=[0-9a-f]{64}$/;
const API_KEY = /^rpx_(live|test)_[\w-]{4,120}$/;
const HEADERS = ['X-RP-Api-Key', 'X-RP-Key-Id', 'X-RP-Timestamp', 'X-RP-Nonce', 'X-RP-Signature'];
const GRAMMAR = [API_KEY, /^[0-9a-f]{16}$/, /^[1-9][0-9]{9}$/, /^[\w-]{22,64}$/, SIGNATURE]; // in the order of HEADERS
const CONTENT_TYPE = /^application\/json([ \t]*;[ \t]*charset=(utf-8|"utf-8"))?$/i;
const bytes = (text) => Buffer.from(text, 'hex');
const hex = (value) => canonicalize(value).toString('hex');
const sha256 = (data) => createHash('sha256').update(data).digest('hex');
const hmac = (key, data) => createHmac('sha256', key).update(data).digest('hex');
/** What the work gives, or how it is refused; any other fault is a bug in here. */
function outcome(work) {
  try {
    return { ok: work() };
  } catch (fault) {
    if (!fault.refused) throw fault;
    return { ...fault, public_code: fault.refused.replace(/^key_id_unknown|^signature_mismatch/, 'signature_invalid') };
  }
}
// §8. The first pattern that matches is the rule that is broken.
const SECRET_RULES = {
  empty: /^$/, api_key_as_secret: /^rpx_(live|test)_/, newline: /[\r\n]/, space: / /, control: /[\x00-\x1f\x7f]/,
  non_ascii: /[^\x00-\x7f]/, short: /^.{1,31}$/, long: /^.{257}/, length: /^rps_(live|test)_(?![\w-]{43}[0-9a-f]{8}$)/,
  checksum: { test: (text) => live(text) !== null && parseInt(text.slice(-8), 16) !== crc32(text.slice(0, -8)) },
};
const live = (credential) => ({ live: true, test: false })[/^rp[sx]_(live|test)_/.exec(credential)?.[1]] ?? null;
const misconfigured = (rule) => refuse('configuration', null, { rule });
function apiKeyId(apiKey) {
  if (/^rps_(live|test)_/.test(apiKey)) misconfigured('secret_as_api_key');
  return API_KEY.test(apiKey) ? sha256(`rp1-api-key\n${apiKey}`).slice(0, 16) : misconfigured('api_key_grammar');
}
function keyId(secret, apiKey = '') {
  for (const [rule, broken] of Object.entries(SECRET_RULES)) if (broken.test(secret)) misconfigured(rule);
  if (live(secret) !== null && live(apiKey) === !live(secret)) misconfigured('live_and_test');
  return hmac(secret, 'rp1-key-id').slice(0, 16);
}
/** A keys file: from each api key to its id, its active secrets (the newest first) and its retired ones. */
const keyring = ({ api_keys: entries }) => new Map(entries.map(({ api_key, secrets = [], retired = [], ...more }) => {
  if (secrets.length > 4) misconfigured('secret_count');
  const key = ({ secret, until = Infinity }) => ({ secret, until, id: keyId(secret, api_key) });
  const keys = { active: secrets.map((secret) => key({ secret })), retired: retired.map(key) };
  return [api_key, { id: apiKeyId(api_key), ...keys, required: more.require_signature ?? secrets.length > 0 }];
}));
/** §5: the signing input, with its lines 2 to 6, and its MAC. */
function seal(secret, covered, ...lines) {
  const [length, digest] = [covered.length, sha256(covered)];
  const input = ['RP1-HMAC-SHA256', ...lines, length, digest].join('\n');
  return { length, digest, signing_input: Buffer.from(input).toString('hex'), mac: hmac(secret, input) };
}
const same = (signature, { mac }) => timingSafeEqual(bytes(signature.slice(7)), bytes(mac));
/** §6.1, steps 2 and 3: the values of the five headers, in their order. */
function fields(headers) {
  const values = (name) => headers.flatMap(([one, value]) => (one.toLowerCase() === name.toLowerCase() ? value : []));
  const [encodings, types, ...found] = ['Content-Encoding', 'Content-Type', ...HEADERS].map(values);
  if (!encodings.every((value) => /^identity$/i.test(value))) refuse('encoding_unsupported');
  if (!types.every((value) => CONTENT_TYPE.test(value))) refuse('media_type_unsupported');
  if ([encodings, types, ...found].some(({ length }) => length > 1)) refuse('header_duplicate');
  if (/^[1-9][0-9]{12}$/.test(found[2])) refuse('timestamp_unit');
  if (!found.every((values, at) => values.every((value) => GRAMMAR[at].test(value)))) refuse('header_malformed');
  const missing = HEADERS.filter((_, at) => at > 1 && found[at].length === 0);
  if (missing.length % 3 > 0 || (missing[0] && found[1].length > 0)) refuse('header_malformed', null, { missing });
  return found[0].length > 0 ? found.map(([value]) => value) : refuse('api_key_missing');
}
/** §6.1, steps 1 to 9: who signed what, and the payload. `now` is in whole seconds; `seen` hears what was computed. */
function verify(ring, { headers, body, past, future, max_body: limit, accept_reserialized: accept }, now, seen = {}) {
  if (body.length > limit) refuse('payload_too_large');
  const [apiKey, named, timestamp, nonce, signature] = fields(headers);
  const entry = ring.get(apiKey) ?? refuse('api_key_unknown');
  if (signature === undefined) return entry.required ? refuse('signature_missing') : [null, parse(body)];
  const keys = entry.active.filter(({ id }) => named === undefined || id === named);
  if (keys.length === 0) refuse(named === undefined ? 'signature_mismatch' : 'key_id_unknown');
  const attempt = (covered, reserialized) => {
    const sealed = ({ secret }) => seal(secret, covered, 'request', entry.id, named ?? '-', timestamp, nonce);
    const key = keys.find((key) => same(signature, sealed(key)));
    const { length, digest } = Object.assign(seen, sealed(key ?? keys[0]));
    return key && { key_id: key.id, timestamp, nonce, length, digest, reserialized };
  };
  const again = () => accept && body.length <= 65536 && outcome(() => attempt(canonicalize(parse(body)), true)).ok;
  const verified = attempt(body, false) || again() || refuse('signature_mismatch');
  if (Number(timestamp) < now - past) refuse('timestamp_expired');
  if (Number(timestamp) > now + future) refuse('timestamp_future');
  return [{ api_key_id: entry.id, live: live(apiKey), ...verified }, parse(body)];
}
/** §7: claims each nonce once. `seen` is from triple to timestamp, `gone` the highest timestamp that is forgotten. */
function memory(born, { past, future }, seen = new Map(), gone = 0) {
  return (now, { api_key_id: id, timestamp, nonce }) => {
    for (const [key, second] of seen) if (now > second + past && seen.delete(key)) gone = Math.max(gone, second);
    if (Number(timestamp) <= gone) refuse('timestamp_forgotten');
    if (born > 0 && Number(timestamp) <= born + future) refuse('signed_before_start');
    if (seen.has([id, timestamp, nonce].join())) refuse('replayed');
    seen.set([id, timestamp, nonce].join(), Number(timestamp));
  };
}
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
/** §6.2. `kept` is the key id kept as evidence, or null; `at` the second in which an event at rest was received. */
function verifyEvent(ring, apiKey, event, kept = null, at = Infinity) {
  const { [MEMBER]: signature, ...content } = isObject(event) ? event : refuse('event_invalid');
  const covered = canonicalize(event) && canonicalize(content);
  const entry = ring.get(apiKey) ?? refuse('api_key_unknown');
  if (!(MEMBER in event)) refuse('event_signature_missing');
  if (typeof signature !== 'string' || !SIGNATURE.test(signature)) refuse('event_signature_mismatch');
  const usable = ({ id, until }) => at <= until && (kept === null || kept === id); // an active one has no end
  const keys = [...entry.active, ...entry.retired].filter(usable);
  if (keys.length === 0 && kept !== null) refuse('key_id_unknown');
  const right = ({ id, secret }) => same(signature, seal(secret, covered, 'event', entry.id, id, '-', '-'));
  return { key_id: keys.find(right)?.id ?? refuse('event_signature_mismatch') };
}
// §9
const isText = (value) => typeof value === 'string' && value !== '' && [...value].length <= 256;
const TIME = /^\d{4}-\d\d-\d\dT([01]\d|2[0-3])(:[0-5]\d){2}(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/;
const isDate = (day) => new Date(`${day}T00:00Z`).toJSON()?.slice(0, 10) === day; // February 30 is March, or no date
const isTime = (value) => isText(value) && TIME.test(value) && isDate(value.slice(0, 10));
const NEEDED = { track: 'event', identify: 'type', group: 'groupId' };
const BATCH = { batch: (value) => Array.isArray(value) && value.length > 0, sentAt: isTime };
const EVENT = {
  type: (value) => isText(value) && Object.hasOwn(NEEDED, value), timestamp: isTime, [MEMBER]: () => true,
  messageId: (value) => isText(value) && /^[\w.:-]{1,128}$/.test(value), userId: isText, anonymousId: isText,
  event: isText, groupId: isText, properties: isObject, traits: isObject, context: isObject,
};
/** The members that break a rule or are missing. */
function faults(object, rules, needed) {
  if (!isObject(object)) return [{ reason: 'event_invalid', pointer: '' }];
  const wrong = (name) => !(Object.hasOwn(rules, name) && Object.hasOwn(object, name) && rules[name](object[name]));
  const fault = (name) => ({ reason: name === 'trust' ? 'trust_claimed' : 'event_invalid', pointer: pointer([name]) });
  return [...new Set([...Object.keys(object), ...needed])].filter(wrong).map(fault);
}
function eventFaults(event, route, check) {
  const type = EVENT.type(event?.type) ? event.type : 'identify';
  const who = event?.anonymousId === undefined ? 'userId' : 'anonymousId';
  const found = faults(event, EVENT, ['type', 'messageId', who, NEEDED[type]]);
  if (found.length === 0 && ![type, 'batch'].includes(route)) return [{ reason: 'type_mismatch', pointer: '/type' }];
  const { refused: reason } = found.length > 0 ? {} : outcome(() => check(event));
  return reason ? [{ reason, pointer: `/${MEMBER}` }] : found;
}

/** A value of the suites. A name that is no string is a symbol here: JavaScript makes strings of all others. */
function build(value) {
  if (typeof value !== 'object' || value === null) return value;
  const [[kind, given]] = Object.entries(value);
  const named = (name) => (typeof name === 'string' ? name : Symbol());
  return {
    int: () => BigInt(given), double: () => bytes(given).readDoubleBE(),
    utf16: () => bytes(given).swap16().toString('utf16le'), array: () => given.map(build),
    object: () => Object.fromEntries(given.map(([name, item]) => [named(build(name)), build(item)])),
    arrays: () => JSON.parse('['.repeat(given) + ']'.repeat(given)),
    objects: () => JSON.parse('{"a":'.repeat(given - 1) + '{}' + '}'.repeat(given - 1)),
    foreign: () => new { date: Date, bytes: Uint8Array, set: Set, decimal: class Decimal {} }[given](),
  }[kind]();
}
const ANSWERS = {
  canonical: ({ text, ieee754: double, value = { double } }) => ({ canonical: hex(text ? parse(text) : build(value)) }),
  parse: ({ text, limit }) => ({ canonical: hex(parse(text, limit ?? Infinity)) }),
  hmac: ({ key, data, mac_bytes: length }) => ({ mac: hmac(key, data).slice(0, 2 * length) }),
  keys({ keys, api_key, secret }) {
    const ids = (known) => known.map(({ id }) => id);
    const listed = ({ id, active, retired }) => ({ api_key_id: id, key_ids: ids(active), retired: ids(retired) });
    if (keys) return { api_keys: [...keyring(keys).values()].map(listed) };
    const api_key_id = api_key === undefined ? api_key : apiKeyId(api_key);
    const key_id = secret === undefined ? secret : keyId(secret, api_key);
    return { api_key_id, key_id, live: live(api_key ?? secret) };
  },
  'signing-input': ({ fields: { purpose, api_key_id, key_id, timestamp, nonce }, covered, secret }) =>
    seal(secret, covered, purpose, api_key_id, key_id, timestamp, nonce),
  sign({ api_key, secrets: [secret], timestamp, nonce, body }) {
    if (body.length === 0) refuse('usage', null, { rule: 'empty_body' });
    const sealed = seal(secret, body, 'request', apiKeyId(api_key), keyId(secret), timestamp, nonce);
    const values = [api_key, keyId(secret), timestamp, nonce, `sha256=${sealed.mac}`];
    return { headers: HEADERS.map((name, at) => [name, values[at]]), ...sealed };
  },
  verify: ({ keys, now, ...request }, seen) => verify(keyring(keys), request, parseInt(now), seen)[0],
  events: (vector) => EVENTS[vector.do](vector),
  replay({ keys, requests, steps, born, ...window }) {
    let [ring, claim] = [keyring(keys), memory(born, window)];
    const send = (request, now) => claim(now, verify(ring, { ...request, ...window }, now)[0]);
    return steps.flatMap(({ do: what, request, now, ...step }) => {
      if (what === 'keys') ring = keyring(step.keys);
      if (what === 'restart') claim = memory(step.born, window);
      return what === 'send' ? outcome(() => send(requests[request], parseInt(now))).refused ?? 'accepted' : [];
    });
  },
};
const EVENTS = {
  sign_event({ api_key, secret, event: text }) {
    const event = parse(text);
    if (!isObject(event)) refuse('event_invalid');
    if (MEMBER in event) refuse('usage', null, { rule: 'already_signed' });
    const sealed = seal(secret, canonicalize(event), 'event', apiKeyId(api_key), keyId(secret), '-', '-');
    const signature = { [MEMBER]: `sha256=${sealed.mac}` };
    return { ...signature, canonical: hex(event), signed: hex({ ...event, ...signature }), ...sealed };
  },
  verify_event: ({ keys, api_key, event, value, key_id, received_at: at }) =>
    verifyEvent(keyring(keys), api_key, event ? parse(event) : build(value), key_id, at ?? Infinity),
  ingest({ route, signed, keys, api_key: apiKey, payload }) {
    const value = parse(payload);
    const wrong = route === 'batch' ? faults(value, BATCH, ['batch']) : [];
    const events = route !== 'batch' ? [value] : wrong.length > 0 ? [] : value.batch;
    if (events.length > 1000) refuse('batch_too_long', ['batch']);
    const ring = signed && keyring(keys);
    const check = (event) => signed ? verifyEvent(ring, apiKey, event) : MEMBER in event && refuse('signature_missing');
    const all = [[0, wrong], ...events.map((event, index) => [index, eventFaults(event, route, check)])];
    const errors = all.flatMap(([index, found]) => found.map((fault) => ({ index, ...fault })));
    return errors.length > 0 ? refuse(errors[0].reason, null, { errors }) : { events: events.length };
  },
};
const HELLO = { protocol: 1, name: 'rp-node', version: '1', suites: Object.keys(ANSWERS) };
const decoded = (name, value) => (/^(text|key|data|covered|body|event|payload)$/.test(name) ? bytes(value) : value);
let rest = '';
for await (const chunk of process.stdin.setEncoding('utf8')) {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop();
  for (const line of lines) {
    const [intermediate, { n, suite, ...vector }] = [{}, JSON.parse(line, decoded)];
    const { ok, ...refused } = suite ? outcome(() => ANSWERS[suite](vector, intermediate)) : {};
    const said = suite === 'replay' ? { n, steps: ok } : { n, ok, ...refused, intermediate };
    process.stdout.write(`${JSON.stringify(suite ? said : HELLO)}\n`);
  }
}
