// The way of an edge from the right side of a box to the left side of another. Pure. Boxes are centres {x, y}; a piece
// of the way is a Bézier curve: [x0, y0, cx0, cy0, cx1, cy1, x1, y1]. y grows upwards.
const PIECES = 3 // the most that a way has, and the rows of an edge
const HEAD = 7 // what the arrow head covers of the end
const TURN = 46, AROUND = 18 // how far an edge that goes back swings out, and passes by the boxes
const CLEAR = 7 // what is left between a way and a box that it passes

const rows_of = edge => Array.from({length: PIECES}, (_, piece) => edge * PIECES + piece)

const straight = (x0, y0, x1, y1) => [x0, y0, x0, y0, x1, y1, x1, y1]
const bend = (x0, y0, x1, y1) => [x0, y0, (x0 + x1) / 2, y0, (x0 + x1) / 2, y1, x1, y1]

// `others` are the boxes that it should not pass behind.
const route = (from, to, [width, height], others) => {
  const [x0, y0, x1, y1] = [from.x + width / 2, from.y, to.x - width / 2 - HEAD, to.y]
  if (x1 - x0 < 12) return around(x0, y0, x1, y1, height)
  const between = others.filter(({x}) => x + width / 2 > x0 && x - width / 2 < x1)
  const way = [bend(x0, y0, x1, y1)]
  return is_clear(way[0], between, width, height) ? way : lane(x0, y0, x1, y1, between, width, height) ?? way
}

// Back to the left: between the two boxes where there is room, else below both.
const around = (x0, y0, x1, y1, height) => {
  const is_wide = Math.abs(y0 - y1) > height + 2 * AROUND
  const y = is_wide ? (y0 + y1) / 2 : Math.min(y0, y1) - height / 2 - AROUND
  return [
    [x0, y0, x0 + TURN, y0, x0 + TURN, y, x0, y],
    straight(x0, y, x1, y),
    [x1, y, x1 - TURN, y, x1 - TURN, y1, x1, y1],
  ]
}

// Straight above or below the boxes in between, where it is nearest; null where there is no room to bend.
const lane = (x0, y0, x1, y1, between, width, height) => {
  const [low, high] = [Math.min(y0, y1) - 1.5 * height, Math.max(y0, y1) + 1.5 * height]
  const xs = between.filter(({y}) => y > low && y < high).map(({x}) => x)
  const first = Math.max(x0 + 12, Math.min(...xs) - width / 2 - 12)
  const last = Math.min(x1 - 12, Math.max(...xs) + width / 2 + 12)
  if (first >= last) return null
  const room = height / 2 + CLEAR
  const is_free = y => between.every(box => Math.abs(box.y - y) >= room)
  const wanted = (y0 + y1) / 2
  const ys = between.flatMap(({y}) => [y - room, y + room]).filter(is_free)
  const y = ys.reduce((best, each) => Math.abs(each - wanted) < Math.abs(best - wanted) ? each : best, Infinity)
  return Number.isFinite(y) ? [bend(x0, y0, first, y), straight(first, y, last, y), bend(last, y, x1, y1)] : null
}

const is_clear = (piece, boxes, width, height) =>
  !boxes.length || points(piece, 24).every(([x, y]) =>
    boxes.every(box => Math.abs(box.x - x) > width / 2 + 2 || Math.abs(box.y - y) > height / 2 + 2))

const points = ([x0, y0, cx0, cy0, cx1, cy1, x1, y1], count) => Array.from({length: count + 1}, (_, at) => {
  const t = at / count, s = 1 - t
  const [a, b, c, d] = [s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t]
  return [a * x0 + b * cx0 + c * cx1 + d * x1, a * y0 + b * cy0 + c * cy1 + d * y1]
})

// How far a point is from a way.
const distance = (way, x, y) => {
  let least = Infinity
  for (const piece of way) {
    const along = points(piece, 20)
    for (let at = 1; at < along.length; at++) least = Math.min(least, to_line(along[at - 1], along[at], x, y))
  }
  return least
}

const to_line = ([x0, y0], [x1, y1], x, y) => {
  const length = (x1 - x0) ** 2 + (y1 - y0) ** 2
  const t = length ? Math.min(1, Math.max(0, ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length)) : 0
  return Math.hypot(x - x0 - t * (x1 - x0), y - y0 - t * (y1 - y0))
}

