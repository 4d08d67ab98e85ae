// What both scripts of this folder stand on: it is put before them.
const node = (name, inside, attributes = {}) => {
  const made = Object.assign(document.createElement(name), attributes)
  made.append(...inside)
  return made
}
const LOOK = `.spice-page{max-width:720px;margin:1em 0;padding:12px 14px;border:1px solid #d8dee4;border-radius:6px;
background:#fff;color:#1f2328;font:14px/1.45 system-ui,sans-serif}
.spice-page p{margin:8px 0}
.spice-page button{font:inherit;padding:5px 14px;border:1px solid #8c959f;border-radius:5px;background:#f6f8fa;
color:#1f2328;cursor:pointer}
.spice-page :focus-visible{outline:3px solid #0072B2;outline-offset:2px}
`
