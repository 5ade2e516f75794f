import type { QueryKey } from '@tanstack/react-query'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { queryString } from './api/client'
import { useApi } from './api/context'
import { readiness } from './api/readiness'
import { socketUrl } from './base'
import type { FeedStatus, Socket } from './event-feed'
import { EventFeed } from './event-feed'
import { Refresher } from './refresher'

/** How many events are looked at together. */
const keep = 500

/**
 * Reads what is shown anew whenever the log says that it has changed. What is
 * read after an event includes it, and what happened before the feed began is
 * covered by a read once it is live: nothing is missed in between.
 */
export function useLive(types: string, queryKey: QueryKey, { subject, active = true }: { subject?: string | undefined; active?: boolean } = {}): FeedStatus | undefined {
  const api = useApi()
  const queries = useQueryClient()
  const [status, setStatus] = useState<FeedStatus>()
  const key = JSON.stringify(queryKey)
  useEffect(() => {
    if (!active) return
    const stop = new AbortController()
    const refresher = new Refresher(() => queries.invalidateQueries({ queryKey: JSON.parse(key) as QueryKey }))
    let feed: EventFeed | undefined
    const open = (after: number) =>
      new WebSocket(socketUrl(api.base) + '/api/v1/events/ws' + queryString({ access_token: api.token, types, after: String(after) })) as Socket
    const begin = async () => {
      const ready = await readiness(api.base, stop.signal)
      if (stop.signal.aborted) return
      let seen = ready.components?.log?.head ?? 0
      feed = new EventFeed({ open, keep }, { events: [], after: seen })
      api.saw(seen)
      refresher.request()
      const { state } = feed
      state.subscribe(() => {
        const now = state.get()
        setStatus(now.status)
        const arrived = now.events.filter((event) => event.sequence > seen)
        if (arrived.length === 0) return
        seen = now.events[0]?.sequence ?? seen
        if (subject && !arrived.some((event) => event.subject === subject)) return
        api.saw(seen)
        refresher.request()
      })
    }
    // Without the head of the log there is no feed; the page is as fresh as its last read, and its own error says why.
    begin().catch(() => undefined)
    return () => {
      stop.abort()
      refresher.close()
      feed?.close()
    }
  }, [api, queries, types, key, subject, active])
  return active ? status : undefined
}
