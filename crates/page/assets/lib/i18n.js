// The language of the page: `?lang=es`, or what the browser prefers.

import { text } from '../strings.js';

const asked = new URLSearchParams(location.search).get('lang');
export const LANGUAGES = { en: 'English', es: 'Español' };
export const language = LANGUAGES[asked] ? asked : navigator.language.startsWith('es') ? 'es' : 'en';
const column = Object.keys(LANGUAGES).indexOf(language);
document.documentElement.lang = language;

const strings = new Map();
let group = '';
for (const line of text.trim().split('\n')) {
	const [key, ...texts] = line.split('\t');
	if (texts.length) strings.set(group + key, texts[column] ?? texts[0]);
	else group = `${key.slice(2)}.`;
}

export const has = (key) => strings.has(key);

// The text of a key, with `{name}` replaced by a value.
export function t(key, values = {}) {
	const found = strings.get(key) ?? key;
	return typeof found === 'string' ? found.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all) : found;
}

// The text of `group.name`, else the name itself.
export const named = (group, name) => (has(`${group}.${name}`) ? t(`${group}.${name}`) : name ?? '');

// A number for people: at most `digits` significant digits, without noise; a count has all of its own.
export function number(x, digits = 4) {
	if (typeof x !== 'number' || Number.isNaN(x)) return '–';
	const size = Math.abs(x);
	const isCount = Number.isInteger(x) && size < 1e12;
	const text = isCount ? String(size) : size === Infinity ? '∞' : size >= 1e6 || size < 1e-4 ? size.toExponential(digits - 2) : String(Number(size.toPrecision(digits)));
	return x < 0 ? `−${text}` : text;
}

export const percent = (x) => (Number.isFinite(x) ? `${(100 * x).toFixed(x > 0 && x < 0.001 ? 3 : 1)}\u00a0%` : '–');

export const shape = (dims) => `(${dims.join(', ')})`;
