// The shell: the path of chapters, the language, and the chapter that the address names.

import { address, el, endRequests, failure, fill, language, LANGUAGES, link, select, t, put } from './lib/page.js';
import { chapter, CHAPTERS } from './chapters/list.js';

const at = (id) => document.getElementById(id);
let leave = [];
let shown = null;

function top() {
	const choice = select(Object.entries(LANGUAGES), language, (to) => location.replace(`?lang=${to}${location.hash}`));
	choice.setAttribute('aria-label', t('language'));
	put(at('top'), el('a.brand', { href: link('') }, el('img', { src: 'icon.svg', alt: '' }), 'mnist-to-gpt'), choice);
}

function path(now) {
	put(at('path'), el('ol', CHAPTERS.map((name, i) => el('li', el('a', { href: link(name), 'aria-current': name === now && 'page' }, el('span.n', i + 1), t(`${name}.title`))))));
	at('path').querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
}

async function show() {
	const { t: token, c } = address();
	const name = CHAPTERS.includes(c) ? c : 'start';
	for (const end of leave) end();
	endRequests();
	const ends = (leave = []);
	fill();
	path(name);
	document.title = `${t(`${name}.title`)} · mnist-to-gpt`;
	const root = el(`div.chapter.${name}`);
	put(at('main'), el('h1', t(`${name}.title`)), el('p.lead', t(`${name}.lead`)), el('div', { id: 'error' }), root);
	if (shown) { at('main').focus({ preventScroll: true }); scrollTo(0, 0); }
	shown = name;
	if (!token) return at('error').append(el('p.note.bad', { role: 'alert' }, t('token.none')));
	root.ariaBusy = true;
	try {
		await (await chapter(name)).mount(root, (end) => (ends === leave ? ends.push(end) : end()));
	} catch (error) { root.append(failure(error)); }
	root.ariaBusy = false;
}

at('skip').textContent = t('skip');
at('skip').addEventListener('click', (e) => { e.preventDefault(); at('main').focus(); });
at('path').setAttribute('aria-label', t('chapters'));
at('numbers').setAttribute('aria-label', t('numbers'));
top();
// What grows above the focus must not push it out of the window.
new ResizeObserver(() => at('main').querySelector(':focus-visible')?.scrollIntoView({ block: 'nearest' })).observe(at('main'));
addEventListener('hashchange', () => { top(); show(); });
// A page that Back brings out of the browser's memory has the choice of the language that left it.
addEventListener('pageshow', (e) => e.persisted && top());
show();
