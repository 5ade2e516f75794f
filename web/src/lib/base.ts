/**
 * The prefix that a proxy put before the server: everything before "/console"
 * in the page's path. "" when the server owns the host.
 */
export function basePath(pathname: string): string {
  const trimmed = pathname.endsWith('/console') ? `${pathname}/` : pathname
  const at = trimmed.lastIndexOf('/console/')
  return at < 0 ? '' : trimmed.slice(0, at)
}

/** The server's base URL as a client outside the browser would write it. */
export function baseUrl(location: { origin: string; pathname: string }): string {
  return location.origin + basePath(location.pathname)
}

/** The same base for websockets. */
export function socketUrl(base: string): string {
  return base.replace(/^http/, 'ws')
}
