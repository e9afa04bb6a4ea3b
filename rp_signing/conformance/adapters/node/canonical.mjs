// SPEC.md §3, the canonical form: writing it, and reading JSON strictly.
import { isUtf8 } from 'node:buffer';
const DEPTH = 64;
const TOKEN = /[ \t\n\r]*([{}[\]:,"]|true|false|null|-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?|$)/y;
const PIECE = /([^"\\\x00-\x1f]*)("|\\["\\/bfnrt]|\\u[\dA-Fa-f]{4})/y; // of a string, up to an escape or the end
const ESCAPED = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };
export const pointer = (path) => path.map((at) => `/${at}`.replace(/~/g, '~0').replace(/(?!^)\//g, '~1')).join('');
/** Throw a refusal: its reason, the path to the place (null where there is none), and what else there is to say. */
export function refuse(reason, path = null, more = {}) {
  throw Object.assign(new Error(reason), { refused: reason, pointer: path && pointer(path), ...more });
}
export const canonicalize = (value) => Buffer.from(write(value, []));
function write(value, path) {
  const kind = typeof value;
  // Of well-formed text, stringify escapes just what CAN-3 names; CAN-5 and CAN-6 describe what String does.
  if (kind === 'string') return value.isWellFormed() ? JSON.stringify(value) : refuse('payload_surrogate', path);
  if (kind === 'boolean' || value === null || Number.isFinite(value)) return String(value);
  if (kind === 'bigint' && Number.isSafeInteger(Number(value))) return String(value);
  if (kind === 'number' || kind === 'bigint') refuse('payload_number_range', path);
  const plain = kind === 'object' && [Object.prototype, Array.prototype, null].includes(Object.getPrototypeOf(value));
  if (!plain) refuse('value_not_json', path);
  if (path.length === DEPTH) refuse('payload_depth', path); // before the stack grows any deeper
  if (Array.isArray(value)) return `[${Array.from(value, (item, at) => write(item, [...path, at])).join()}]`;
  const names = Reflect.ownKeys(value); // with the symbols, which keys() would leave out
  if (names.some((name) => typeof name === 'symbol')) refuse('key_not_string', path);
  if (names.some((name) => !name.isWellFormed())) refuse('payload_surrogate', path);
  const members = names.sort().map((name) => `${JSON.stringify(name)}:${write(value[name], [...path, name])}`);
  return `{${members.join()}}`; // sort() compares UTF-16 code units: CAN-2
}
/** Read bytes, at most `limit` of them, as one JSON value. Objects have no prototype: any name is just a name. */
export function parse(bytes, limit = Infinity) {
  if (bytes.length > limit) refuse('payload_too_large');
  if (!isUtf8(bytes)) refuse('payload_not_utf8');
  const text = bytes.toString(); // a byte order mark stays in it, for the grammar to refuse
  let at = 0;
  const take = (pattern) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text) ?? refuse('payload_not_json');
    at = pattern.lastIndex;
    return found;
  };
  const string = (path) => {
    for (let string = ''; ; ) {
      const [, plain, end] = take(PIECE);
      string += plain;
      if (end === '"') return string.isWellFormed() ? string : refuse('payload_surrogate', path);
      string += ESCAPED[end[1]] ?? String.fromCharCode(parseInt(end.slice(2), 16));
    }
  };
  const name = (token, object, path) => {
    const name = token === '"' ? string(path) : refuse('payload_not_json');
    if (name in object) refuse('payload_duplicate_key', [...path, name]);
    return take(TOKEN)[1] === ':' ? name : refuse('payload_not_json');
  };
  const container = (end, whole, path) => {
    if (path.length === DEPTH) refuse('payload_depth', path);
    let found = take(TOKEN);
    if (found[1] === end) return whole;
    for (;;) {
      const step = end === ']' ? whole.length : name(found[1], whole, path);
      whole[step] = value(end === ']' ? found : take(TOKEN), [...path, step]);
      const [, token] = take(TOKEN);
      if (token === end) return whole;
      found = token === ',' ? take(TOKEN) : refuse('payload_not_json');
    }
  };
  const value = ([, token, fraction, exponent], path) => {
    if (token === '{') return container('}', Object.create(null), path);
    if (token === '[') return container(']', [], path);
    if (token === '"') return string(path);
    if (/^[tfn]/.test(token)) return { true: true, false: false, null: null }[token];
    const number = /\d/.test(token) ? Number(token) : refuse('payload_not_json');
    // A long integer has to be spelled as the double that it is: PAR-8.
    const exact = fraction || exponent || Number.isSafeInteger(number) || String(number) === token;
    return exact && Number.isFinite(number) ? number : refuse('payload_number_range', path);
  };
  const whole = value(take(TOKEN), []);
  return take(TOKEN)[1] === '' ? whole : refuse('payload_not_json');
}
