// What lies on the canvas: the tasks and edges of a sheet with their places, as columns for the glyphs. It knows what is
// where, and what runs after what; it does not know who asks. y grows upwards here, and downwards in sheets.
const GRID = 10

const snapped = at => Math.round(at / GRID) * GRID

class Board {
  constructor(size) {
    this.size = size
    this.put({tasks: [], edges: []})
  }

  put({tasks, edges}) {
    this.tasks = tasks
    this.names = tasks.map(task => task.name)
    this.row = new Map(this.names.map((name, row) => [name, row]))
    this.x = Float64Array.from(tasks, task => task.x)
    this.y = Float64Array.from(tasks, task => -task.y)
    this.edges = edges.filter(([up, down]) => this.row.has(up) && this.row.has(down))
    this.near = new Map(this.names.map(name => [name, []]))
    this.edges.forEach((edge, at) => edge.forEach(name => this.near.get(name).push(at)))
    this.route_all()
  }

  has(name) {
    return this.row.has(name)
  }

  // What a task of the sheet before is called now: one that has a new name has kept its row.
  renamed(name, before) {
    const now = this.names[before.indexOf(name)]
    const is_new_name = !this.has(name) && before.length === this.names.length && !before.includes(now)
    return is_new_name ? now : name
  }

  place(name) {
    const row = this.row.get(name)
    return {x: this.x[row], y: this.y[row]}
  }

  // As a sheet and a manifest have it.
  position(name) {
    const {x, y} = this.place(name)
    return [Math.round(x), Math.round(-y)]
  }

  bounds() {
    if (!this.names.length) return {left: 0, right: 640, low: -320, high: 0}
    const [across, up] = [this.size[0] / 2, this.size[1] / 2]
    return {
      left: Math.min(...this.x) - across, right: Math.max(...this.x) + across,
      low: Math.min(...this.y) - up, high: Math.max(...this.y) + up,
    }
  }

  // The nearest point at or below one where a task would cover no other.
  free(x, y) {
    const [across, up] = this.size.map(each => each + 2 * GRID)
    const in_the_way = Array.from(this.x.keys()).filter(row => Math.abs(this.x[row] - x) < across)
    for (const row of in_the_way.sort((one, other) => this.y[other] - this.y[one])) {
      if (Math.abs(this.y[row] - y) < up) y = this.y[row] - up
    }
    return {x, y}
  }

  // --- places and ways ---

  // Put tasks at places {name: {x, y}}, with their edges.
  move(places) {
    const edges = new Set()
    for (const [name, {x, y}] of Object.entries(places)) {
      const row = this.row.get(name)
      if (row === undefined) continue
      this.x[row] = x
      this.y[row] = y
      for (const edge of this.near.get(name)) edges.add(edge)
    }
    for (const edge of edges) this.route(edge)
  }

  route_all() {
    const rows = this.edges.length * PIECES
    this.pieces = Array.from({length: 8}, () => new Float64Array(rows).fill(NaN))
    this.ends = {x: new Float64Array(this.edges.length), y: new Float64Array(this.edges.length)}
    this.ways = []
    for (let edge = 0; edge < this.edges.length; edge++) this.route(edge)
  }

  route(edge) {
    const [from, to] = this.edges[edge].map(name => this.row.get(name))
    const [start, end] = [from, to].map(row => ({x: this.x[row], y: this.y[row]}))
    const way = this.ways[edge] = route(start, end, this.size, this.others(from, to))
    for (let piece = 0; piece < PIECES; piece++) {
      for (let part = 0; part < 8; part++) this.pieces[part][edge * PIECES + piece] = way[piece]?.[part] ?? NaN
    }
    this.ends.x[edge] = end.x - this.size[0] / 2 - 4
    this.ends.y[edge] = end.y
  }

  // The tasks between two columns.
  others(from, to) {
    const found = []
    for (let row = 0; row < this.x.length; row++) {
      if (row === from || row === to || this.x[row] < this.x[from] || this.x[row] > this.x[to]) continue
      found.push({x: this.x[row], y: this.y[row]})
    }
    return found
  }

  // --- what is where ---

  task_at(x, y) {
    const [across, up] = [this.size[0] / 2, this.size[1] / 2]
    for (let row = this.names.length - 1; row >= 0; row--) {
      if (Math.abs(this.x[row] - x) <= across && Math.abs(this.y[row] - y) <= up) return this.names[row]
    }
    return null
  }

  // The task whose port is within reach.
  port_at(x, y, reach) {
    const row = this.names.findLastIndex((_, row) => Math.hypot(this.x[row] + this.size[0] / 2 - x, this.y[row] - y) <= reach)
    return this.names[row] ?? null
  }

  edge_at(x, y, reach) {
    const far = this.ways.map(way => distance(way, x, y))
    const least = Math.min(...far)
    return least <= reach ? this.edges[far.indexOf(least)] : null
  }

  within(left, right, low, high) {
    return this.names.filter((_, row) =>
      this.x[row] >= left && this.x[row] <= right && this.y[row] >= low && this.y[row] <= high)
  }

  // The task next to a point in a direction: the nearest one, where what lies aside counts double.
  next(from, [right, up]) {
    let best = null, least = Infinity
    for (const [row, name] of this.names.entries()) {
      const [x, y] = [this.x[row] - from.x, this.y[row] - from.y]
      const [ahead, aside] = [x * right + y * up, Math.abs(x * up) + Math.abs(y * right)]
      if (ahead > 1 && ahead + 2 * aside < least) [best, least] = [name, ahead + 2 * aside]
    }
    return best
  }

  // --- what runs after what ---

  upstreams(name) {
    return this.edges.filter(([, down]) => down === name).map(([up]) => up)
  }

  // The place of an edge among the others, if there is one.
  edge_rows(up, down) {
    return (this.near.get(up) ?? []).filter(at => this.edges[at][0] === up && this.edges[at][1] === down)
  }

  is_edge(up, down) {
    return this.edge_rows(up, down).length > 0
  }

  // The cycle that `down` after `up` would close, in the order of execution; null where there is none.
  cycle(up, down) {
    const came = new Map([[down, null]])
    const queue = [down]
    for (const name of queue) {
      if (name === up) break
      for (const edge of this.near.get(name) ?? []) {
        const [from, to] = this.edges[edge]
        if (from === name && !came.has(to)) came.set(to, name) && queue.push(to)
      }
    }
    if (!came.has(up)) return null
    const path = [up]
    for (let name = came.get(up); name !== null; name = came.get(name)) path.unshift(name)
    return [up, ...path]
  }

  // Names → names that no task has yet.
  copies(names) {
    const taken = new Set()
    return new Map(names.map(name => {
      const copy = numbered(name, each => this.has(each) || taken.has(each))
      taken.add(copy)
      return [name, copy]
    }))
  }
}

