// Draws an equation of the core, plain text such as `y = 1 / (1 + exp(-x))`, as MathML: fractions, roots, indices,
// Greek letters.

import { el, mathml } from './dom.js';

const NAMES = { alpha: 'α', delta: 'δ', eta: 'η', sigma: 'σ', lambda: 'λ', eps: 'ε', pi: 'π', nabla: '∇' };
const SIGNS = { '*': '·', '->': '→', '-': '−', "'": '′' };
const CLOSE = { '(': ')', '[': ']', '|': '|' };
const BETWEEN = ['+', '-', '=', ',', '*', '·', ';', ':', '->'];
// A gradient: `dx` of `dC/dx`, or `dX = dY W`, of the loss with respect to X.
const GRADIENT = /^d\p{L}$/u;
const TOKENS = /->|\d+(?:\.\d+)?|\p{L}+|\S/gu;

const row = (nodes) => (nodes.length === 1 ? nodes[0] : mathml('mrow', nodes));
const sign = (text) => mathml('mo', SIGNS[text] ?? text);
// A group without the parentheses that a fraction or an index makes needless.
const bare = (node) => node.bare ?? node;

class Reader {
	constructor(text) {
		this.tokens = text.match(TOKENS);
	}

	at(...tokens) {
		return tokens.includes(this.tokens[0]);
	}

	// Products with signs between them, up to `end`.
	sum(end) {
		const nodes = [];
		while (this.tokens.length && !this.at(end)) nodes.push(this.at(...BETWEEN) ? sign(this.tokens.shift()) : this.product(end));
		return row(nodes);
	}

	// Factors side by side; a stroke makes all before it a numerator.
	product(end) {
		let nodes = [];
		while (this.tokens.length && !this.at(end, ...BETWEEN)) {
			if (this.at('/')) {
				this.tokens.shift();
				nodes = [mathml('mfrac', nodes.length === 1 ? bare(nodes[0]) : row(nodes), this.at('sum') ? this.product(end) : bare(this.factor()))];
			} else nodes.push(this.factor());
		}
		return row(nodes);
	}

	// A number, a name or a group, with its index and its power.
	factor() {
		const base = this.primary();
		let [sub, sup] = [null, null];
		for (;;) {
			if (this.at('_')) sub = this.script();
			else if (this.at('^')) sup = this.script();
			else if (this.at("'")) sup = sign(this.tokens.shift());
			else break;
		}
		return sub && sup ? mathml('msubsup', base, sub, sup) : sub ? mathml('msub', base, sub) : sup ? mathml('msup', base, sup) : base;
	}

	script() {
		this.tokens.shift();
		return this.at('-') ? mathml('mrow', sign(this.tokens.shift()), bare(this.primary(''))) : bare(this.primary(''));
	}

	primary(space = '\u2005') {
		const token = this.tokens.shift() ?? '';
		if (token === 'sqrt' && this.at('(')) return mathml('msqrt', bare(this.primary()));
		if (token === 'sum') return mathml('mo', '∑');
		if (GRADIENT.test(token)) return mathml('mi', `∂${token[1]}`);
		if (/^\p{L}/u.test(token)) return mathml('mi', NAMES[token] ?? (token[1] && !this.at('(', '_', '^') ? space + token + space : token));
		if (/^\d/.test(token)) return mathml('mn', token);
		if (!CLOSE[token]) return sign(token);
		const inner = this.sum(CLOSE[token]);
		this.tokens.shift();
		const group = mathml('mrow', sign(token), inner, sign(CLOSE[token]));
		if (token === '(') group.bare = inner;
		return group;
	}
}

export const formula = (text) => el('div.formula', mathml('math', { displaystyle: 'true' }, new Reader(text).sum()));
