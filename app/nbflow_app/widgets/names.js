// The name that is wanted, or the first of its numbered ones that is free. The palette has it, too (frame.py).
const numbered = (wanted, is_taken) => {
  const stem = wanted.replace(/_\d+$/, "")
  let name = wanted
  for (let number = 2; is_taken(name); number++) name = `${stem}_${number}`
  return name
}
