// Talks to the server of this page. The token comes from the fragment of the address.

import { address } from './address.js';

export class ApiError extends Error {}

// What becomes of a request without an answer. A browser says it in its own words.
export const offline = (error) => { throw error instanceof TypeError ? new ApiError('offline') : error; };

// The requests of a chapter end when it is left, but for those that steer a training.
let here = new AbortController();
export function endRequests() {
	here.abort();
	here = new AbortController();
}

// The answer to a request, if it is good. A string or an object is sent as JSON, anything else as bytes.
export async function ask(path, { body, signal } = {}) {
	const headers = { authorization: `Bearer ${address().t}` };
	const isBytes = body instanceof Blob || ArrayBuffer.isView(body);
	if (body) headers['content-type'] = isBytes ? body.type || 'application/octet-stream' : 'application/json';
	const until = AbortSignal.any([signal, path.startsWith('training/') ? null : here.signal].filter(Boolean));
	const response = await fetch(`/api/${path}`, { method: body ? 'POST' : 'GET', headers, signal: until, body: body && !isBytes ? JSON.stringify(body) : body }).catch(offline);
	if (response.ok) return response;
	const text = await response.text();
	let sentence = text;
	try { sentence = JSON.parse(text).error; } catch { /* a plain sentence */ }
	throw Object.assign(new ApiError(sentence || `HTTP ${response.status}`), { status: response.status });
}

export const get = async (path) => (await ask(path)).json();
export const post = async (path, body) => (await ask(path, { body })).json();

// Numbers, which travel as f32 bytes: `{data, shape}`; of a table of positions also its `base`.
export async function tensor(path) {
	const response = await ask(path);
	const shape = (response.headers.get('x-shape') ?? '').split(',').filter(Boolean).map(Number);
	return { data: new Float32Array(await response.arrayBuffer()), shape, base: response.headers.get('x-base') };
}

// A value of an inspection, such as `h.0.attn.scores` of head 1.
export const values = (id, name, more) => tensor(`inspect/${id}/values?${query({ name, ...more })}`);

// `a=1&b=2` from an object; what is empty is left out.
export const query = (all) => new URLSearchParams(Object.entries(all).filter(([, v]) => v || v === 0));

// Runs the newest request only: while one is on its way, a later call replaces any that waits. None waits longer than
// its chapter is there.
export function newest(work) {
	let busy = false;
	let next = null;
	return async (...args) => {
		next = args;
		if (busy) return;
		busy = true;
		const { signal } = here;
		try {
			while (next && !signal.aborted) {
				const now = next;
				next = null;
				await work(...now);
			}
		} finally { busy = false; }
	};
}
