// lab.js's own writer: npm install lab.js@2018.1.1 jsdom; node make_labjs.js
const { JSDOM } = require('jsdom');
const fs = require('fs');
const dom = new JSDOM('<!doctype html><body></body>', { url: 'http://localhost/', pretendToBeVisual: true });
for (const k of ['window', 'document', 'HTMLElement', 'Node', 'CustomEvent', 'Event', 'Blob', 'navigator'])
  Object.defineProperty(global, k, { value: k === 'window' ? dom.window : dom.window[k], configurable: true, writable: true });
global.self = dom.window;
const store = new (require('lab.js').data.Store)();
['left', 'right', 'right', undefined, 'left', 'right'].forEach((response, i) => {
  store.commit({ sender: 'Fixation', sender_type: 'html.Screen', sender_id: `0_${i}_0`, participant: '01', ended_on: 'timeout' });
  const row = { sender: 'Choice', sender_type: 'html.Screen', sender_id: `0_${i}_1`, participant: '01', ended_on: response ? 'response' : 'timeout' };
  store.commit(response ? Object.assign(row, { response, points: i % 2 }) : row);
});
fs.writeFileSync('labjs.csv', store.exportCsv());
