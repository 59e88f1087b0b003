// What chapters are made of.

export * from './address.js';
export * from './api.js';
export * from './chart.js';
export * from './controls.js';
export * from './dom.js';
export * from './i18n.js';
export * from './math.js';
export * from './matrix.js';
export * from './models.js';
export * from './numbers.js';
export * from './palette.js';
export * from './parts.js';
export * from './prompt.js';
export * from './stream.js';
export * from './tokens.js';
