// Builds elements. Text is always set as text, never as HTML.

const shown = (children) => children.flat(9).filter((child) => child || child === 0);
const isProps = (x) => x && Object.getPrototypeOf(x) === Object.prototype;

const maker = (space) => (name, ...rest) => {
	const [tag, ...classes] = name.split('.');
	const node = document.createElementNS(space, tag);
	if (classes.length) node.setAttribute('class', classes.join(' '));
	const props = isProps(rest[0]) ? rest.shift() : {};
	for (const [key, value] of Object.entries(props)) {
		if (value == null || value === false) continue;
		if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
		else if (key === 'value') node.value = value;
		else node.setAttribute(key, value === true ? '' : value);
	}
	node.append(...shown(rest));
	return node;
};

// `el('p.small', {id: 'a'}, 'text', child)`: a tag with classes, attributes and listeners, children.
export const el = maker('http://www.w3.org/1999/xhtml');
export const svg = maker('http://www.w3.org/2000/svg');
export const mathml = maker('http://www.w3.org/1998/Math/MathML');

export const put = (node, ...children) => node.replaceChildren(...shown(children));

export const times = (n, make) => Array.from({ length: n }, (_, i) => make(i));

let ids = 0;
export const unique = () => `u${++ids}`;

export const say = (text) => { document.getElementById('live').textContent = text; };
