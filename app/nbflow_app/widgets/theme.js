// Calls `paint` with the colours of the theme that is shown, now and whenever it changes.
const follow_theme = (themes, paint) => {
  const system = matchMedia("(prefers-color-scheme: dark)")
  const tell = () => {
    const scheme = getComputedStyle(document.documentElement).colorScheme
    const is_dark = scheme === "dark" || (scheme !== "light" && system.matches)
    paint(themes[is_dark ? "dark" : "light"])
  }
  system.addEventListener("change", tell)
  new MutationObserver(tell).observe(document.documentElement, {attributeFilter: ["data-theme"]})
  tell()
}

