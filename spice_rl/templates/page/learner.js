// A Rescorla-Wagner learner whose parameters have sliders, in a page that no kernel stands behind.
// `learn` and `play` say the same as `replay` and `simulate` of spice_rl; tests/test_browser.py compares them in node.
const chances = (q, beta) => {
  const top = beta * Math.max(q[0], q[1]), weight = q.map(value => Math.exp(beta * value - top))
  return {p: weight.map(w => w / (weight[0] + weight[1])), weight}
}
// Go through the trials: `choose(trial, weight)` gives the choice (-1: none), `pay(trial, choice)` the reward
// (null: not shown).
const unroll = (alpha, beta, n, starts, choose, pay) => {
  const q = [], p = [], choice = [], reward = []
  let value = [.5, .5]
  for (let t = 0; t < n; t++) {
    if (starts.includes(t)) value = [.5, .5]
    const now = chances(value, beta)
    q.push(value)
    p.push(now.p)
    choice.push(choose(t, now.weight))
    reward.push(choice[t] < 0 ? null : pay(t, choice[t]))
    if (reward[t] === null) continue
    value = [...value]
    value[choice[t]] += alpha * (reward[t] - value[choice[t]])
  }
  return {q, p, choice, reward}
}
const learn = (data, alpha, beta) => {
  const out = unroll(alpha, beta, data.choice.length, data.starts, t => data.choice[t], t => data.reward[t])
  const made = out.choice.map((k, t) => k < 0 ? 0 : -Math.log(out.p[t][k]))
  return {...out, nll: made.reduce((sum, x) => sum + x, 0), n: out.choice.filter(k => k >= 0).length}
}
const play = (data, alpha, beta) => unroll(alpha, beta, data.luck.length, [0],
  (t, weight) => data.luck[t] * (weight[0] + weight[1]) < weight[0] ? 0 : 1, (t, k) => data.pays[t][k])
// What it means, in the words of `explore`.
const mean = x => x.length ? x.reduce((sum, y) => sum + y, 0) / x.length : NaN
// Halves as Python rounds them
const even = x => { const r = Math.round(x); return Math.abs(x % 1) === .5 && r % 2 ? r - 1 : r }
const percent = x => Number.isNaN(x) ? '–' : `${even(100 * x)} %`
const switches = (out, starts, weight) => {
  const after = {reward: [], none: []}
  let last = -1
  out.choice.forEach((k, t) => {
    if (starts.includes(t)) last = -1
    if (k < 0) return
    if (last >= 0 && out.reward[last] !== null) {
      after[out.reward[last] > 0 ? 'reward' : 'none'].push(1 - weight(t)[out.choice[last]])
    }
    last = t
  })
  return [percent(mean(after.reward)), percent(mean(after.none))]
}
const words = (data, out) => {
  const made = t => [0, 1].map(k => Number(out.choice[t] === k)), starts = data.starts || [0]
  const paid = mean(out.reward.filter(r => r !== null)).toFixed(2), own = switches(out, starts, made)
  if (data.luck) {
    const right = mean(out.choice.map((k, t) => Number(data.better[t][k])))
    return [`The learner chooses the better option in ${percent(right)} of trials.`,
      `It switches after ${own[0]} of rewards, and after ${own[1]} of trials without.`, `Mean reward: ${paid}.`]
  }
  const would = switches(out, starts, t => out.p[t])
  const total = out.nll.toFixed(2).replace(/\B(?=(\d{3})+\.)/g, ',')
  const each = `NLL ${(out.nll / out.n).toFixed(4)} a choice (guessing: ${Math.log(2).toFixed(4)})`
  return [`${each}, ${total} for all ${out.n}; lower is better.`,
    `It would switch after ${would[0]} (the person: ${own[0]}) of rewards, and after ${would[1]} `
    + `(the person: ${own[1]}) of trials without.`,
    `Mean reward of the person: ${paid}.`]
}
const see = (data, alpha, beta) => data.luck ? play(data, alpha, beta) : learn(data, alpha, beta)
// The picture, as SVG: the chance of each option with the choices below, then the values.
const COLOURS = ['#332288', '#CC6677']  // in the order of the figures
const tag = (name, attributes, inside = '') =>
  `<${name} ${Object.entries(attributes).map(([key, value]) => `${key}="${value}"`).join(' ')}>${inside}</${name}>`
const escaped = text => String(text).replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`)
// Beside a line there is little room
const brief = (name, k) => { const end = name.replace(/^option /, ''); return end.length < 7 ? end : String(k + 1) }
const picture = (data, out, width) => {
  const n = out.choice.length, left = 46, right = width - 8, starts = data.starts || [0], part = []
  const x = t => left + (right - left) * (t + .5) / n
  const y = (value, top, height) => top + height * (1 - value)
  const text = (px, py, what, more = {}) =>
    part.push(tag('text', {x: px, y: py, 'font-size': 12, fill: '#59636e', ...more}, escaped(what)))
  const lines = (series, top, height, kind) => [0, 1].forEach(k => {
    const at = (v, t) => `${x(t).toFixed(1)} ${y(v[k], top, height).toFixed(2)}`
    const d = series.map((v, t) => (starts.includes(t) ? 'M' : 'L') + at(v, t)).join('')
    part.push(tag('path', {d, fill: 'none', stroke: COLOURS[k], 'stroke-width': 1.8,
      'stroke-dasharray': k ? '5 3' : 'none', 'data-line': `${kind}${k}`}))
  })
  const axis = (name, top, height) => {
    for (const at of [0, .5, 1]) {
      part.push(tag('line', {x1: left, x2: right, y1: y(at, top, height), y2: y(at, top, height), stroke: '#d8dee4'}))
      text(left - 6, y(at, top, height) + 4, at, {'text-anchor': 'end'})
    }
    part.push(tag('text', {x: 12, y: top + height / 2, 'font-size': 12, fill: '#59636e', 'text-anchor': 'middle',
      transform: `rotate(-90 12 ${top + height / 2})`}, name))
  }
  axis('P(choose)', 10, 110)
  lines(out.p, 10, 110, 'p')
  data.options.forEach((name, k) => {
    const base = 148 + 26 * k
    text(left - 6, base + 4, brief(name, k), {'text-anchor': 'end', fill: '#1f2328', 'font-weight': 700})
    part.push(tag('line', {x1: left, x2: right, y1: base, y2: base, stroke: '#d8dee4'}))
    out.choice.forEach((made, t) => {
      if (made !== k) return
      const won = out.reward[t] > 0, pale = !data.luck && out.p[t][k] < .5
      part.push(tag('line', {x1: x(t).toFixed(1), x2: x(t).toFixed(1), y1: base, y2: base + (won ? -10 : 6),
        'stroke-width': 2, stroke: COLOURS[k], opacity: pale ? .35 : 1, 'data-choice': t}))
    })
  })
  axis('value', 200, 110)
  lines(out.q, 200, 110, 'q')
  for (let t = 0; t < n; t += n > 200 ? 50 : 20) text(x(t), 326, t, {'text-anchor': 'middle'})
  text((left + right) / 2, 341, 'trial', {'text-anchor': 'middle'})
  const about = `Chances of choosing ${data.options[0]} and ${data.options[1]}, the choices, and the values, over `
    + `${n} trials. The sentences beside it say what they come to.`
  return tag('svg', {width, height: 346, viewBox: `0 0 ${width} 346`, role: 'img', 'aria-label': escaped(about)},
    part.join(''))
}
const STYLE = `.spice-page label{display:block;margin:2px 0}
.spice-page input[type=range]{width:100%;margin:4px 0 8px;accent-color:#332288;height:22px}
.spice-page .spice-sliders{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(240px,100%),1fr));gap:0 24px}
.spice-page svg{display:block;max-width:100%}`
const show = (box, data) => {
  const values = {}, start = {}, sliders = {}
  const said = node('p', [], {className: 'spice-words'}), drawn = node('div', [])
  const rows = node('div', [], {className: 'spice-sliders'})
  said.setAttribute('aria-live', 'polite')
  const draw = () => {
    const out = see(data, values.alpha, values.beta)
    drawn.innerHTML = picture(data, out, Math.max(280, drawn.clientWidth || 640))
    said.replaceChildren(...words(data, out).flatMap((line, i) => i ? [document.createElement('br'), line] : [line]))
  }
  for (const {name, label, value, low, high, step} of data.sliders) {
    const number = node('span', []), slider = document.createElement('input'), digits = Math.round(-Math.log10(step))
    Object.assign(slider, {type: 'range', min: low, max: high, step, value, name})
    values[name] = start[name] = value
    const set = to => { values[name] = to; number.textContent = to.toFixed(Math.max(2, digits)) }
    slider.oninput = () => { set(Number(slider.value)); draw() }
    sliders[name] = to => { slider.value = to; set(to) }
    rows.append(node('label', [`${label}: `, number, slider]))
    set(value)
  }
  const reset = node('button', ['Reset'], {type: 'button'})
  reset.onclick = () => { Object.entries(sliders).forEach(([name, move]) => move(start[name])); draw() }
  const key = node('p', [])
  const line = k => tag('span', {style: `color:${COLOURS[k]};font-weight:700`}, k ? '╍╍' : '━━')
  const numbered = (name, k) => name.endsWith(brief(name, k)) ? '' : `${k + 1}: `
  key.innerHTML = data.options.map((name, k) => `${line(k)} ${numbered(name, k)}${escaped(name)}`).join(' &nbsp; ')
    + '. Ticks: choices, up: rewarded, down: not'
    + `${data.luck ? '' : '; pale: the learner thought the other one likelier'}.`
  box.setAttribute('role', 'group')
  box.setAttribute('aria-label', data.title)
  box.replaceChildren(node('style', [LOOK + STYLE]), rows, reset, drawn, key, said)
  draw()
  if (typeof ResizeObserver !== 'undefined') {
    let wide = drawn.clientWidth
    new ResizeObserver(() => { if (drawn.clientWidth !== wide) { wide = drawn.clientWidth; draw() } }).observe(box)
  }
}
if (typeof module !== 'undefined') module.exports = {learn, play, words, see, picture}
