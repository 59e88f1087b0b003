// A sheet of 112 x 112 dots to draw on: with a mouse, a finger or a pen, or with the arrow keys.

import { el, say, t } from './page.js';

export const SIDE = 112;
const WIDTH = 9;
const KEY_STEP = 4;
const KEYS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
const MOVE = 'onpointerrawupdate' in window ? 'pointerrawupdate' : 'pointermove'; // a raw move does not wait for the next frame
const percent = (x) => `${(100 * x) / SIDE}%`;

export class Pad {
	// `drawn(time)` hears of each change, with the time of the event that made it.
	constructor(drawn) {
		Object.assign(this, { drawn, at: [SIDE / 2, SIDE / 2], down: false });
		this.canvas = el('canvas', { width: SIDE, height: SIDE, tabindex: 0, role: 'img', 'aria-label': t('pad'), 'aria-describedby': 'pad-help', id: 'pad' });
		this.pen = el('div.pen', { hidden: true });
		this.box = el('div.found', { hidden: true });
		this.node = el('div.pad', this.canvas, this.box, this.pen);
		this.context = this.canvas.getContext('2d', { willReadFrequently: true });
		Object.assign(this.context, { lineWidth: WIDTH, lineCap: 'round', lineJoin: 'round' });
		this.byPointer();
		this.byKey();
	}

	dots() {
		const rgba = this.context.getImageData(0, 0, SIDE, SIDE).data;
		const ink = new Uint8Array(SIDE * SIDE);
		for (let i = 0; i < ink.length; i++) ink[i] = rgba[4 * i + 3];
		return ink;
	}

	empty() {
		this.context.clearRect(0, 0, SIDE, SIDE);
	}

	// Frames what the network cuts out of the drawing.
	frame(box) {
		this.box.hidden = !box;
		for (const [side, value] of Object.entries(box ?? {})) this.box.style[side] = percent(value);
	}

	line([x0, y0], [x1, y1]) {
		this.context.beginPath();
		this.context.moveTo(x0, y0);
		this.context.lineTo(x1, y1 + 0.01);
		this.context.stroke();
	}

	on(name, work) {
		this.canvas.addEventListener(name, work);
	}

	byPointer() {
		let last = null;
		let size = null;
		const spot = (e) => [((e.clientX - size.left) / size.width) * SIDE, ((e.clientY - size.top) / size.height) * SIDE];
		const draw = (e) => {
			for (const part of e.getCoalescedEvents?.().length ? e.getCoalescedEvents() : [e]) {
				const next = spot(part);
				this.line(last ?? next, next);
				last = next;
			}
			this.drawn(e.timeStamp);
		};
		this.on('pointerdown', (e) => {
			if (e.button) return;
			this.canvas.setPointerCapture(e.pointerId);
			size = this.canvas.getBoundingClientRect();
			this.pen.hidden = true;
			last = spot(e);
			draw(e);
		});
		this.on(MOVE, (e) => last && draw(e));
		this.on('lostpointercapture', () => { last = null; });
	}

	byKey() {
		this.on('keydown', (e) => {
			const by = KEYS[e.key];
			if (by) this.go(by, e.timeStamp);
			else if (e.key === ' ' || e.key === 'Enter') { this.down = !this.down; say(t(this.down ? 'pad.down' : 'pad.up')); }
			else if (e.key === 'Delete' || e.key === 'Backspace') { this.empty(); this.drawn(e.timeStamp); say(t('pad.cleared')); }
			else return;
			e.preventDefault();
			this.showPen();
		});
		this.on('blur', () => { this.pen.hidden = true; this.down = false; });
		this.on('focus', () => this.canvas.matches(':focus-visible') && this.showPen());
	}

	go(by, time) {
		const from = this.at;
		this.at = from.map((x, i) => Math.max(5, Math.min(SIDE - 5, x + KEY_STEP * by[i])));
		if (!this.down) return;
		this.line(from, this.at);
		this.drawn(time);
	}

	showPen() {
		this.pen.hidden = false;
		this.pen.classList.toggle('down', this.down);
		[this.pen.style.left, this.pen.style.top] = this.at.map(percent);
	}
}
