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
const bytes = (hex) => Buffer.from(hex, 'hex');
const form = (value) => canonicalize(value).toString('hex');
const sha256 = (data) => createHash('sha256').update(data).digest('hex');
const hmac = (key, data) => createHmac('sha256', key).update(data).digest('hex');
const publicCode = (reason) => reason.replace(/^(key_id_unknown|signature_mismatch)$/, 'signature_invalid');
/** What the work gives, or why it refuses; a fault without a reason is a bug in here. */
function outcome(work) {
  try {
    return { ok: work() };
  } catch (fault) {
    if (!fault.reason) throw fault;
    return { refused: fault.reason, public_code: publicCode(fault.reason), ...fault };
  }
}

// §8. The first pattern that matches is the rule that is broken.
const SECRET_RULES = {
  empty: /^$/, api_key_as_secret: /^rpx_(live|test)_/, newline: /[\r\n]/, space: / /, control: /[\x00-\x1f\x7f]/,
  non_ascii: /[^\x00-\x7f]/, short: /^.{1,31}$/, long: /^.{257}/, length: /^rps_(live|test)_(?![\w-]{43}[0-9a-f]{8}$)/,
};
const live = (credential) => ({ live: true, test: false })[/^rp[sx]_(live|test)_/.exec(credential)?.[1]] ?? null;
const misconfigured = (rule) => refuse('configuration', null, { rule });
function apiKeyId(apiKey) {
  if (/^rps_(live|test)_/.test(apiKey)) misconfigured('secret_as_api_key');
  if (!API_KEY.test(apiKey)) misconfigured('api_key_grammar');
  return sha256(`rp1-api-key\n${apiKey}`).slice(0, 16);
}
function keyId(secret, apiKey = '') {
  for (const [rule, broken] of Object.entries(SECRET_RULES)) if (broken.test(secret)) misconfigured(rule);
  const checksum = crc32(secret.slice(0, -8)).toString(16).padStart(8, '0');
  if (live(secret) !== null && secret.slice(-8) !== checksum) misconfigured('checksum');
  if (live(secret) !== null && live(apiKey) === !live(secret)) misconfigured('live_and_test');
  return hmac(secret, 'rp1-key-id').slice(0, 16);
}
/** A keys file: from each api key to its id, its active secrets (the newest first) and its retired ones. */
const keyring = ({ api_keys: entries }) => new Map(entries.map(({ api_key, secrets = [], retired = [], ...rest }) => {
  if (secrets.length > 4) misconfigured('secret_count');
  const key = (secret, until) => ({ secret, until, id: keyId(secret, api_key) });
  const keys = [secrets.map((secret) => key(secret)), retired.map(({ secret, until }) => key(secret, until))];
  const required = rest.require_signature ?? secrets.length > 0;
  return [api_key, { id: apiKeyId(api_key), active: keys[0], retired: keys[1], required }];
}));

/** §5: the signing input and its MAC. `lines` are lines 2 to 6. */
function seal(secret, covered, ...lines) {
  const [length, digest] = [covered.length, sha256(covered)];
  const input = ['RP1-HMAC-SHA256', ...lines, length, digest].join('\n');
  return { length, digest, signing_input: Buffer.from(input).toString('hex'), mac: hmac(secret, input) };
}
const same = (signature, mac) => timingSafeEqual(bytes(signature.slice(7)), bytes(mac));

/** §6.1, steps 2 and 3: the values of the five headers, in their order. */
function fields(headers) {
  const lines = (name) => headers.flatMap(([other, value]) => (other.toLowerCase() === name ? [value] : []));
  const [encodings, types] = [lines('content-encoding'), lines('content-type')];
  if (!encodings.every((value) => /^identity$/i.test(value))) refuse('encoding_unsupported');
  if (!types.every((value) => CONTENT_TYPE.test(value))) refuse('media_type_unsupported');
  const found = HEADERS.map((name) => lines(name.toLowerCase()));
  if ([encodings, types, ...found].some((values) => values.length > 1)) refuse('header_duplicate');
  if (/^[1-9][0-9]{12}$/.test(found[2])) refuse('timestamp_unit');
  if (!found.every((values, at) => values.every((value) => GRAMMAR[at].test(value)))) refuse('header_malformed');
  const missing = HEADERS.filter((_, at) => at > 1 && found[at].length === 0);
  const bare = missing.length === 3 && found[1].length === 0;
  if (missing.length > 0 && !bare) refuse('header_malformed', null, { message: `missing: ${missing}` });
  return found[0].length > 0 ? found.map(([value]) => value) : refuse('api_key_missing');
}

/** §6.1, steps 1 to 9; `now` in whole seconds. `seen` is told what was computed. */
function verify(ring, { headers, body, past, future, max_body: limit, accept_reserialized: accept }, now, seen = {}) {
  if (body.length > limit) refuse('payload_too_large');
  const [apiKey, named, timestamp, nonce, signature] = fields(headers);
  const entry = ring.get(apiKey) ?? refuse('api_key_unknown');
  const who = { api_key_id: entry.id, live: live(apiKey) };
  if (signature === undefined) return entry.required ? refuse('signature_missing') : parse(body) && who;
  const keys = entry.active.filter(({ id }) => named === undefined || id === named);
  if (keys.length === 0) refuse(named === undefined ? 'signature_mismatch' : 'key_id_unknown');
  const attempt = (covered, reserialized) => {
    const sealed = ({ secret }) => seal(secret, covered, 'request', entry.id, named ?? '-', timestamp, nonce);
    const key = keys.find((key) => same(signature, sealed(key).mac));
    const { length, digest } = Object.assign(seen, sealed(key ?? keys[0]));
    return key && { ...who, key_id: key.id, timestamp, nonce, length, digest, reserialized };
  };
  const again = () => accept && body.length <= 65536 && outcome(() => attempt(canonicalize(parse(body)), true)).ok;
  const verified = attempt(body, false) || again() || refuse('signature_mismatch');
  if (Number(timestamp) < now - past) refuse('timestamp_expired');
  if (Number(timestamp) > now + future) refuse('timestamp_future');
  return { ...verified, value: parse(body) };
}

/** §7: remembers nonces, and claims each once. Made anew, it is born anew. */
function memory(born, { past, future }) {
  const seen = new Map(); // from triple to timestamp
  let forgotten = 0;
  return (now, { api_key_id: id, timestamp, nonce }) => {
    const old = [...seen].filter(([, second]) => now > second + past);
    for (const [triple, second] of old) if (seen.delete(triple)) forgotten = Math.max(forgotten, second);
    if (Number(timestamp) <= forgotten) refuse('timestamp_forgotten');
    if (born > 0 && Number(timestamp) <= born + future) refuse('signed_before_start');
    if (seen.has([id, timestamp, nonce].join())) refuse('replayed');
    seen.set([id, timestamp, nonce].join(), Number(timestamp));
  };
}

/** §6.2. `kept` is a key id kept as evidence; `at` the second in which an event at rest was received; or null. */
function verifyEvent(ring, apiKey, event, kept = null, at = null) {
  const covered = content(event);
  const entry = ring.get(apiKey) ?? refuse('api_key_unknown');
  const signature = MEMBER in event ? event[MEMBER] : refuse('event_signature_missing');
  if (typeof signature !== 'string' || !SIGNATURE.test(signature)) refuse('event_signature_mismatch');
  const usable = [...entry.active, ...entry.retired.filter(({ until }) => at !== null && at <= until)];
  const keys = usable.filter(({ id }) => kept === null || id === kept);
  if (keys.length === 0 && kept !== null) refuse('key_id_unknown');
  const right = ({ id, secret }) => same(signature, seal(secret, covered, 'event', entry.id, id, '-', '-').mac);
  return { key_id: keys.find(right)?.id ?? refuse('event_signature_mismatch') };
}
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
function content(event) {
  const { [MEMBER]: _, ...rest } = isObject(event) ? event : refuse('event_invalid');
  return canonicalize(event) && canonicalize(rest);
}

// §9
const isText = (value) => typeof value === 'string' && value !== '' && [...value].length <= 256;
const TIME = /^\d{4}-\d\d-\d\dT([01]\d|2[0-3])(:[0-5]\d){2}(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/;
const isDate = (day) => new Date(`${day}T00:00Z`).toJSON()?.slice(0, 10) === day; // February 30 is March, or no date
const isTime = (value) => isText(value) && TIME.test(value) && isDate(value.slice(0, 10));
const NEEDED = { track: ['event'], identify: [], group: ['groupId'] };
const BATCH = { batch: (value) => Array.isArray(value) && value.length > 0, sentAt: isTime };
const EVENT = {
  type: (value) => typeof value === 'string' && Object.hasOwn(NEEDED, value),
  messageId: (value) => isText(value) && /^[\w.:-]{1,128}$/.test(value), timestamp: isTime, [MEMBER]: () => true,
  userId: isText, anonymousId: isText, event: isText, groupId: isText,
  properties: isObject, traits: isObject, context: isObject,
};
/** The members that break a rule or are missing: the reason and the path of each. */
function faults(object, rules, needed) {
  if (!isObject(object)) return [['event_invalid', []]];
  const right = (name) => Object.hasOwn(rules, name) && Object.hasOwn(object, name) && rules[name](object[name]);
  const wrong = [...new Set([...Object.keys(object), ...needed])].filter((name) => !right(name));
  return wrong.map((name) => [name === 'trust' ? 'trust_claimed' : 'event_invalid', [name]]);
}
function eventFaults(event, route, check) {
  const type = EVENT.type(event?.type) ? event.type : null;
  const who = isObject(event) && 'anonymousId' in event ? 'anonymousId' : 'userId';
  const found = faults(event, EVENT, ['type', 'messageId', who, ...(NEEDED[type] ?? [])]);
  if (type && ![type, 'batch'].includes(route)) found.push(['type_mismatch', ['type']]);
  const { refused } = found.length > 0 ? {} : outcome(() => check(event));
  return refused ? [[refused, [MEMBER]]] : found;
}

/** A value of the suites. A name that is no string is a symbol here: JavaScript makes strings of all others. */
function build(value) {
  if (typeof value !== 'object' || value === null) return value;
  const [[kind, given]] = Object.entries(value);
  const member = ([name, item]) => [typeof build(name) === 'string' ? build(name) : Symbol(), build(item)];
  const nested = (wrap, inner) => Array(given - 1).fill().reduce(wrap, inner);
  return {
    int: () => BigInt(given),
    double: () => bytes(given).readDoubleBE(),
    utf16: () => bytes(given).swap16().toString('utf16le'),
    array: () => given.map(build),
    object: () => Object.fromEntries(given.map(member)),
    arrays: () => nested((inner) => [inner], []),
    objects: () => nested((a) => ({ a }), {}),
    foreign: () => ({ date: new Date(), bytes: Buffer.alloc(1), set: new Set(), decimal: new (class Decimal {})() })[given],
  }[kind]();
}
const ANSWERS = {
  hello: () => ({ protocol: 1, name: 'rp-node', version: '1', suites: SUITES }),
  canonical: ({ text, ieee754: double, value = { double } }) =>
    ({ canonical: form(text ? parse(bytes(text)) : build(value)) }),
  parse: ({ text, limit }) => ({ canonical: form(parse(bytes(text), limit ?? Infinity)) }),
  hmac: ({ key, data, mac_bytes: length }) => ({ mac: hmac(bytes(key), bytes(data)).slice(0, 2 * length) }),
  keys({ keys, api_key, secret }) {
    const ids = (known) => known.map(({ id }) => id);
    const listed = ({ id, active, retired }) => ({ api_key_id: id, key_ids: ids(active), retired: ids(retired) });
    if (keys) return { api_keys: [...keyring(keys).values()].map(listed) };
    const api_key_id = api_key === undefined ? api_key : apiKeyId(api_key);
    return { api_key_id, key_id: secret === undefined ? secret : keyId(secret, api_key), live: live(api_key ?? secret) };
  },
  'signing-input': ({ fields: { purpose, api_key_id, key_id, timestamp, nonce }, covered, secret }) =>
    seal(secret, bytes(covered), purpose, api_key_id, key_id, timestamp, nonce),
  sign({ api_key, secrets: [secret], timestamp, nonce, body }) {
    if (body === '') refuse('usage', null, { rule: 'empty_body' });
    const sealed = seal(secret, bytes(body), 'request', apiKeyId(api_key), keyId(secret), timestamp, nonce);
    const values = [api_key, keyId(secret), timestamp, nonce, `sha256=${sealed.mac}`];
    return { headers: HEADERS.map((name, at) => [name, values[at]]), ...sealed };
  },
  verify: ({ keys, now, body, ...request }, seen) =>
    verify(keyring(keys), { ...request, body: bytes(body) }, parseInt(now), seen),
  events: (vector) => ANSWERS[vector.do](vector),
  sign_event({ api_key, secret, event: text }) {
    const event = parse(bytes(text));
    const covered = content(event);
    if (MEMBER in event) refuse('usage', null, { rule: 'already_signed' });
    const sealed = seal(secret, covered, 'event', apiKeyId(api_key), keyId(secret), '-', '-');
    const signature = { [MEMBER]: `sha256=${sealed.mac}` };
    return { ...signature, canonical: covered.toString('hex'), signed: form({ ...event, ...signature }), ...sealed };
  },
  verify_event: ({ keys, api_key, event, value, key_id, at_rest, received_at: at }) =>
    verifyEvent(keyring(keys), api_key, event ? parse(bytes(event)) : build(value), key_id, at_rest ? at : null),
  ingest({ route, signed, keys, api_key, payload }) {
    const value = parse(bytes(payload));
    const ring = signed && keyring(keys);
    const unsigned = (event) => MEMBER in event && refuse('signature_missing');
    const check = signed ? (event) => verifyEvent(ring, api_key, event) : unsigned;
    const wrong = route === 'batch' ? faults(value, BATCH, ['batch']) : [];
    const events = route !== 'batch' ? [value] : wrong.length > 0 ? [] : value.batch;
    if (events.length > 1000) refuse('batch_too_long', ['batch']);
    const all = [[0, wrong], ...events.map((event, index) => [index, eventFaults(event, route, check)])];
    const named = ([index, found]) => found.map(([reason, path]) => ({ index, reason, pointer: pointer(path) }));
    const errors = all.flatMap(named);
    return errors.length > 0 ? refuse(errors[0].reason, null, { errors }) : { events: events.length };
  },
  replay({ keys, requests, steps, born, ...window }) {
    let [ring, claim] = [keyring(keys), memory(born, window)];
    const send = ({ headers, body }, now) => claim(now, verify(ring, { headers, body: bytes(body), ...window }, now));
    return steps.flatMap((step) => {
      if (step.do === 'keys') ring = keyring(step.keys);
      if (step.do === 'restart') claim = memory(step.born, window);
      if (step.do !== 'send') return [];
      return outcome(() => send(requests[step.request], parseInt(step.now))).refused ?? 'accepted';
    });
  },
};
const SUITES = ['canonical', 'parse', 'hmac', 'keys', 'signing-input', 'sign', 'verify', 'events', 'replay'];
function answer({ n, suite, ...vector }) {
  const intermediate = {};
  if (!suite) return ANSWERS.hello();
  const { ok, ...refused } = outcome(() => ANSWERS[suite](vector, intermediate));
  return { n, ...(Array.isArray(ok) ? { steps: ok } : { ok, ...refused }), intermediate };
}
let rest = '';
for await (const chunk of process.stdin.setEncoding('utf8')) {
  const lines = chunk.includes('\n') ? (rest + chunk).split('\n') : [rest + chunk];
  rest = lines.pop();
  for (const line of lines) process.stdout.write(JSON.stringify(answer(JSON.parse(line))) + '\n');
}
