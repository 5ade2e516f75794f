import { useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { queryString } from '@/lib/api/client'
import { useApi } from '@/lib/api/context'
import type { StrataEvent } from '@/lib/api/types'
import { socketUrl } from '@/lib/base'
import type { Socket } from '@/lib/event-feed'
import { EventFeed } from '@/lib/event-feed'

const backlog = 50

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
 * The latest events of some types, and from there on every new one. The feed
 * starts after the last event that was read, so nothing falls between.
 */
export function useFeed(types: string) {
  const api = useApi()
  const [feed, setFeed] = useState<EventFeed>()
  const recent = useQuery({
    queryKey: ['events', types],
    queryFn: async ({ signal }) => {
      const list = await api.list<StrataEvent>('/api/v1/events', { limit: backlog, type: types, sortBy: 'time', sortOrder: 'desc' }, signal)
      return list.items.toSorted((a, b) => b.sequence - a.sequence)
    },
    staleTime: 0,
    gcTime: 0,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  })
  const events = recent.data
  useEffect(() => {
    if (!events) return
    const open = (after: number) =>
      new WebSocket(
        socketUrl(api.base) + '/api/v1/events/ws' + queryString({ access_token: api.token, types, after: String(after) }),
      ) as Socket
    const made = new EventFeed({ open }, { events, after: events[0]?.sequence ?? 0 })
    setFeed(made)
    return () => {
      made.close()
      setFeed(undefined)
    }
  }, [api, events, types])
  return { feed, recent }
}
