// Buttons, fields, choices, and numbers that can be dragged.

import { ApiError } from './api.js';
import { el, unique } from './dom.js';
import { number, t } from './i18n.js';

// A button with a text or elements; a key of the strings becomes its text, here and below.
export const button = (text, onclick, props = {}) => el('button', { type: 'button', onclick, ...props }, t(text));

export function field(label, control) {
	control.id ||= unique();
	return el('div.field', el('label', { for: control.id }, t(label)), control);
}

// A choice from `[value, text]`s or from plain values.
export function select(options, value, onchange = () => {}) {
	const node = el('select', { onchange: () => onchange(node.value) },
		options.map((o) => { const [v, text] = [].concat(o, o); return el('option', { value: v }, String(text)); }));
	node.value = value;
	return node;
}

export const numberField = (value, props = {}) => el('input', { type: 'number', min: 0, step: 1, ...props, value });

// The number in a field, or a sentence that says what it must be. JavaScript holds 15 digits of any whole number: more
// would be another number, except with an exponent, as in 1e30.
export function wanted({ value }, name, whole = false) {
	const x = Number(value);
	const digits = whole || (/^\s*[+-]?\d+\s*$/.test(value) && !Number.isSafeInteger(x));
	const wrong = digits ? !(value.trim() && Number.isSafeInteger(x) && x >= 0) && 'whole' : !(value.trim() && Number.isFinite(x)) && 'number';
	if (wrong) throw new ApiError(t(`wanted.${wrong}`, { name: t(name) }));
	return x;
}

const KEYS = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10, Home: -1e9, End: 1e9 };
const STEPS_PER_PIXEL = 0.25;

// A number in a sentence that can be dragged, or changed with the arrow keys.
export class Drag {
	constructor({ value, min = -5, max = 5, step = 0.1, label, changed }) {
		Object.assign(this, { min, max, step, changed });
		this.node = el('span.drag', { role: 'slider', tabindex: 0, 'aria-label': label, 'aria-valuemin': min, 'aria-valuemax': max });
		this.set(value);
		let from = null;
		const on = (name, work) => this.node.addEventListener(name, work);
		on('pointerdown', (e) => { this.node.setPointerCapture(e.pointerId); from = [e.clientX, this.value]; });
		on('pointermove', (e) => from && this.turn(from[1] + Math.round((e.clientX - from[0]) * STEPS_PER_PIXEL) * step));
		on('lostpointercapture', () => { from = null; });
		on('keydown', (e) => {
			if (!KEYS[e.key]) return;
			e.preventDefault();
			this.turn(this.value + KEYS[e.key] * step);
		});
	}

	turn(value) {
		const before = this.value;
		this.set(Math.max(this.min, Math.min(this.max, Math.round(value / this.step) * this.step)));
		if (this.value !== before) this.changed(this.value);
	}

	set(value) {
		this.value = Number(value.toPrecision(10));
		this.node.textContent = number(this.value, 3);
		this.node.setAttribute('aria-valuenow', this.value);
	}
}
