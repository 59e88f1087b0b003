// The text that a model reads: an example that suits the model, until another one is typed.

import { address, keep } from './address.js';
import { ApiError, post } from './api.js';
import { el } from './dom.js';
import { t } from './i18n.js';

export class Prompt {
	// `changed()` hears of each letter.
	constructor(changed) {
		this.node = el('textarea', { rows: 2, spellcheck: 'false', maxlength: 4000, oninput: () => { this.type(this.text); changed(); } });
		this.own = address().text;
		this.node.value = this.own ?? '';
	}

	get text() {
		return this.node.value;
	}

	// What was typed, null for the example. A text without a letter cannot be read.
	get wanted() {
		if (this.own === '') throw new ApiError(t('prompt.empty'));
		return this.own ?? null;
	}

	type(text) {
		this.own = this.node.value = text;
		keep({ text });
	}

	// The example of a model without a typed text; a model that knows no letters has none.
	suit(text) {
		this.node.disabled = text === null;
		this.node.value = this.own ?? text ?? '';
	}

	// A step of a model on the text.
	async inspect(model, more) {
		const got = await post('inspect', { model, ...more, prompt: this.node.disabled ? null : this.wanted });
		this.suit(got.text);
		return got;
	}
}
