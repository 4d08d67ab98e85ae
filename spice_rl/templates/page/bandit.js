// A two-armed bandit that somebody plays in the page. Nothing is sent anywhere: the choices go into a file that the
// player saves.
// One option pays with probability `high`, the other with `low`; before each trial they swap with probability `flip`.
const begin = (task, random = Math.random) => ({good: random() < .5 ? 0 : 1, rows: [], points: 0, task, random})
const choose = (game, option) => {
  const {task, random, rows} = game
  if (rows.length >= task.trials) return null
  if (rows.length && random() < task.flip) game.good = 1 - game.good
  const reward = Number(random() < (option === game.good ? task.high : task.low))
  rows.push([rows.length + 1, task.options[option], reward])
  game.points += reward
  return reward
}
const csv = game => ['participant,trial,choice,reward',
  ...game.rows.map(row => [game.task.participant, ...row].join(','))].join('\n') + '\n'
const STYLE = `.spice-page .spice-arms{display:flex;gap:14px;margin:10px 0}
.spice-page .spice-arms button{flex:1;min-height:92px;font:600 19px system-ui,sans-serif;color:#fff;border:0;
border-radius:8px}
.spice-page .spice-arms button:nth-child(1){background:#0072B2}
.spice-page .spice-arms button:nth-child(2){background:#B24E00}
.spice-page .spice-arms button:disabled{opacity:.45;cursor:default}
.spice-page .spice-said{min-height:1.6em;font-size:17px;font-weight:600}
.spice-page progress{width:100%}
.spice-page .spice-save{display:inline-block;padding:7px 16px;border-radius:5px;background:#0072B2;color:#fff;
font-weight:600;text-decoration:none;margin-right:12px}
.spice-page .spice-arms button:focus-visible{outline-color:#1f2328}`
const show = (box, task) => {
  let game = begin(task), waiting = false
  const arms = node('div', [], {className: 'spice-arms'}), said = node('p', [], {className: 'spice-said'})
  const count = node('p', []), bar = node('progress', [], {max: task.trials}), end = node('p', [])
  said.setAttribute('role', 'status')
  bar.setAttribute('aria-label', 'choices made')
  const buttons = task.options.map((name, k) => node('button', [name], {type: 'button', onclick: () => take(k)}))
  arms.append(...buttons)
  const tell = () => {
    bar.value = game.rows.length
    const points = `${game.points} point${game.points === 1 ? '' : 's'}`
    count.textContent = `${game.rows.length} of ${task.trials} choices, ${points}`
  }
  const take = k => {
    if (waiting) return
    const reward = choose(game, k)
    if (reward === null) return
    said.textContent = `${task.options[k]}: ${reward ? '+1 point' : 'nothing'}`
    said.style.color = reward ? '#0a6b2d' : '#59636e'
    tell()
    if (game.rows.length === task.trials) return finish()
    waiting = true
    setTimeout(() => { waiting = false }, task.pause)
  }
  const finish = () => {
    buttons.forEach(button => { button.disabled = true })
    const href = 'data:text/csv;charset=utf-8,' + encodeURIComponent(csv(game))
    const save = node('a', ['Save my choices'], {className: 'spice-save', download: task.file, href})
    const again = node('button', ['Play again'], {type: 'button', onclick: restart})
    end.replaceChildren(save, again)
    save.focus()
  }
  const restart = () => {
    game = begin(task)
    end.replaceChildren()
    said.textContent = ''
    buttons.forEach(button => { button.disabled = false })
    tell()
    buttons[0].focus()
  }
  box.setAttribute('role', 'group')
  box.setAttribute('aria-label', task.title)
  box.onkeydown = event => {
    const k = {ArrowLeft: 0, f: 0, F: 0, ArrowRight: 1, j: 1, J: 1}[event.key]
    if (k === undefined || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return
    if (game.rows.length >= task.trials) return
    event.preventDefault()
    buttons[k].focus()
    take(k)
  }
  const how = node('p', [
    'Choose with the mouse, a finger, or, after one click or Tab into the box, the keys ← and → (or F and J).'])
  box.replaceChildren(node('style', [LOOK + STYLE]), how, arms, said, bar, count, end)
  tell()
}
if (typeof module !== 'undefined') module.exports = {begin, choose, csv}
