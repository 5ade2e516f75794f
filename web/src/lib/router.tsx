import type { AnchorHTMLAttributes, MouseEvent } from 'react'
import { useMemo } from 'react'
import { basePath } from './base'
import { Store, useStore } from './store'

/**
 * Routes are one segment deep ("logs", "budgets"), and what a page shows is in
 * its query. That keeps relative asset addresses right under any sub-path.
 */
export const consoleRoot = `${basePath(location.pathname)}/console/`

const place = new Store(location.pathname + location.search)

/** Follows the browser's back and forward buttons. */
export function startRouter(): void {
  window.addEventListener('popstate', () => place.set(location.pathname + location.search))
}

export function navigate(to: string, options: { replace?: boolean } = {}): void {
  const url = consoleRoot + to
  if (options.replace) history.replaceState(null, '', url)
  else {
    history.pushState(null, '', url)
    window.scrollTo(0, 0)
  }
  place.set(location.pathname + location.search)
}

export interface Route {
  page: string
  query: URLSearchParams
}

export function useRoute(): Route {
  const current = useStore(place)
  return useMemo(() => {
    const url = new URL(current, location.origin)
    return { page: url.pathname.slice(consoleRoot.length).replace(/\/$/, ''), query: url.searchParams }
  }, [current])
}

/** Changes some values of the page's query; "" removes one. Replaces unless told to push. */
export function setQuery(changes: Record<string, string>, options: { push?: boolean } = {}): void {
  const url = new URL(location.href)
  for (const [key, value] of Object.entries(changes)) {
    if (value) url.searchParams.set(key, value)
    else url.searchParams.delete(key)
  }
  const next = url.pathname + url.search
  if (next === location.pathname + location.search) return
  if (options.push) history.pushState(null, '', next)
  else history.replaceState(null, '', next)
  place.set(next)
}

type LinkProps = AnchorHTMLAttributes<HTMLAnchorElement> & { to: string }

/** A real link, so that it can be opened in a tab, handled without a page load. */
export function Link({ to, onClick, ...rest }: LinkProps) {
  const follow = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event)
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey
    if (event.defaultPrevented || !plain) return
    event.preventDefault()
    navigate(to)
  }
  return <a href={consoleRoot + to} onClick={follow} {...rest} />
}
