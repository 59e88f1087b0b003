// Draws the blocks of a note. Every text is set as text: nothing in a note becomes an element.

import { el, link, scroll } from './page.js';

function span({ text, code, strong, em, href, note, src }) {
	if (src) return el('img', { src, alt: text, loading: 'lazy' });
	let inner = code ? el('code', text) : document.createTextNode(text);
	if (strong) inner = el('strong', inner);
	if (em) inner = el('em', inner);
	if (note) return el('a', { href: link('notes', { note }) }, inner);
	return href ? el('a', { href, rel: 'noreferrer', target: '_blank' }, inner) : inner;
}
const text = (spans) => spans.map((s) => s.text).join('');

const DRAW = {
	heading: ({ level, spans }) => el(`h${Math.max(2, Math.min(4, level))}`, spans.map(span)),
	paragraph: ({ spans }) => el('p', spans.map(span)),
	code: ({ lang, text: code }) => el('pre', { tabindex: 0, role: 'group', 'aria-label': lang || 'text' }, el('code', code)),
	list: ({ ordered, start, items }, live) => el(ordered ? 'ol' : 'ul', { start: ordered && start }, items.map((item) => el('li', blocks(item, live)))),
	quote: ({ blocks: inside }, live) => el('blockquote', blocks(inside, live)),
	rule: () => el('hr'),
	live: (block, live) => live(block),
	table: ({ align = [], head, rows }) => {
		const cell = (tag, spans, i) => { const node = el(tag, spans.map(span)); node.style.textAlign = align[i] ?? ''; return node; };
		return scroll(head.map(text).join(', ') || 'table', el('table', el('thead', el('tr', head.map((c, i) => cell(text(c) ? 'th' : 'td', c, i)))), el('tbody', rows.map((r) => el('tr', r.map((c, i) => cell('td', c, i)))))));
	},
};

// The elements of a list of blocks; `live(block)` makes the place of a live picture.
export const blocks = (list, live) => list.map((block) => DRAW[block.is]?.(block, live) ?? '');
