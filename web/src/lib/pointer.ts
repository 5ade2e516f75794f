/** A JSON pointer as people write paths: /config/stop/0 is config.stop[0], /list/- an addition to list. */
export function readablePath(pointer: string): string {
  if (pointer === '') return 'everything'
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((path, part) => {
      if (part === '-') return `${path}[+]`
      if (/^\d+$/.test(part)) return `${path}[${part}]`
      const plain = /^[\p{L}_$][\p{L}\p{N}_$-]*$/u.test(part)
      if (!plain) return `${path}[${JSON.stringify(part)}]`
      return path ? `${path}.${part}` : part
    }, '')
}

/** A value on one line, for a place where little room is. */
export function shortValue(value: unknown): string {
  if (value === undefined) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}
