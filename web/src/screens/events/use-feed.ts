import { useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { queryString } from '@/lib/api/client'
import { useApi } from '@/lib/api/context'
import { readiness } from '@/lib/api/readiness'
import type { StrataEvent } from '@/lib/api/types'
import { socketUrl } from '@/lib/base'
import type { Socket } from '@/lib/event-feed'
import { EventFeed } from '@/lib/event-feed'

/** How many events are listed at first, and how far back the feed itself begins, in positions. */
const backlog = 50
const replayed = 300

/** Every type of event there can be, for the filter. */
export function useEventTypes() {
  const api = useApi()
  return useQuery({
    queryKey: ['event-types'],
    queryFn: async ({ signal }) =>
      (await api.get<{ types: { type: string }[] }>('/api/v1/events/types', undefined, signal)).types.map(({ type }) => type),
    staleTime: Infinity,
  })
}

/**
 * The latest events of some types, and from there on every new one. The list
 * tells of the past and leaves out the many model calls; the feed holds
 * everything. So the feed begins a little before the end of the log, and the
 * list is used only for what lies before that: no gap, and nothing twice.
 */
export function useFeed(types: string) {
  const api = useApi()
  const [feed, setFeed] = useState<EventFeed>()
  const recent = useQuery({
    queryKey: ['events', types],
    queryFn: async ({ signal }) => {
      const [list, ready] = await Promise.all([
        api.list<StrataEvent>('/api/v1/events', { limit: backlog, type: types, sortBy: 'time', sortOrder: 'desc' }, signal),
        readiness(api.base, signal),
      ])
      const after = Math.max(0, (ready.components?.log?.head ?? 0) - replayed)
      const past = list.items.filter((event) => event.sequence <= after)
      return { after, events: past.toSorted((a, b) => b.sequence - a.sequence) }
    },
    staleTime: 0,
    gcTime: 0,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  })
  const start = recent.data
  useEffect(() => {
    if (!start) return
    const open = (after: number) =>
      new WebSocket(
        socketUrl(api.base) + '/api/v1/events/ws' + queryString({ access_token: api.token, types, after: String(after) }),
      ) as Socket
    const made = new EventFeed({ open }, start)
    setFeed(made)
    return () => {
      made.close()
      setFeed(undefined)
    }
  }, [api, start, types])
  return { feed, recent }
}
