// Tokens as chips. White space is made visible.

import { el, put } from './dom.js';
import { t } from './i18n.js';

export const visible = (token) => token.replace(/ /g, '␣').replace(/\n/g, '⏎').replace(/\t/g, '⇥');

// Chips of which one is chosen: by pointing, by focus, by the arrow keys.
export class Chips {
	constructor(label, chosen) {
		this.node = el('div.chips', { role: 'group', 'aria-label': label, onkeydown: (e) => this.key(e) });
		this.chosen = chosen;
	}

	set(tokens, at = tokens.length - 1) {
		this.chips = tokens.map((token, i) => {
			const choose = () => this.choose(i);
			return el('button.chip', { type: 'button', 'aria-label': t('token.n', { i, token: visible(token) }), onclick: choose, onfocus: choose, onpointerenter: (e) => e.pointerType === 'mouse' && choose() }, visible(token));
		});
		put(this.node, this.chips);
		if (tokens.length) this.mark(at);
	}

	mark(i) {
		this.at = i;
		this.chips.forEach((chip, k) => {
			chip.setAttribute('aria-pressed', String(k === i));
			chip.tabIndex = k === i ? 0 : -1;
		});
	}

	choose(i) {
		if (i === this.at) return;
		this.mark(i);
		this.chosen(i);
	}

	tint(shares) {
		this.chips.forEach((chip, i) => chip.style.setProperty('--share', `${Math.round(100 * (shares[i] ?? 0))}%`));
	}

	key(e) {
		const by = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9 }[e.key];
		if (!by) return;
		e.preventDefault();
		this.chips[Math.max(0, Math.min(this.chips.length - 1, this.at + by))].focus();
	}
}
