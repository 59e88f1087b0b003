// A link to a line of the source. The lines open in a dialog, with the line marked.

import { el, put } from './dom.js';
import { get, query } from './api.js';
import { button } from './controls.js';
import { failure, row } from './parts.js';
import { t } from './i18n.js';

// A button named after a place, which opens its lines: those around a call, `file:line`, or a whole `{file, line}`.
export function sourceLink(at, text) {
	const [file, line] = typeof at === 'string' ? at.split(':') : [at.file, at.line];
	return button(text ?? `${file.split('/').slice(-2).join('/')}:${line}`, () => open(file, Number(line), typeof at === 'string'), { class: 'link code' });
}

export const lines = (text, first, marked) => el('ol.source', { start: first, tabindex: 0, 'aria-label': t('source') },
	text.map((line, i) => el(marked.includes(first + i) ? 'li.marked' : 'li', { value: first + i }, el('code', line || ' '))));

export async function sheet(title, make) {
	const body = el('div', t('loading'));
	const dialog = el('dialog.sheet', { 'aria-label': title, onclose: () => dialog.remove() }, row(el('h2.wide', title), button('close', () => dialog.close())), body);
	document.body.append(dialog);
	dialog.showModal();
	try { put(body, await make()); } catch (error) { put(body, failure(error)); }
	const marked = body.querySelector('.marked');
	if (marked) marked.parentNode.scrollTop = marked.offsetTop - marked.parentNode.offsetTop - marked.parentNode.clientHeight / 3;
}

const open = (file, line, call) => sheet(`${file}:${line}`, async () => {
	const got = await get(`source?${query({ file, line, caller: call && 1 })}`);
	return lines(got.lines, got.line, [line]);
});
