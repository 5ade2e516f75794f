import { keepPreviousData, useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query'
import { useApi } from '@/lib/api/context'

export const memoryTypes = ['semantic', 'episodic', 'procedural', 'working'] as const

export interface Memory {
  id: string
  content: string
  type: (typeof memoryTypes)[number]
  user_id?: string
  agent_id?: string
  session_id?: string
  app_id?: string
  metadata?: Record<string, unknown>
  importance?: number
  /** How well it fits what was searched for, from 0 to 1. */
  score?: number
  expires_at?: string
  created_at: string
}

/** Whose memories: each that is given must be equal. */
export interface Scope {
  user_id: string
  agent_id: string
  session_id: string
}

export interface MemoryDraft extends Partial<Scope> {
  content: string
  type: Memory['type']
  importance?: number
  expires_at?: string
}

const root = '/v1/memory/internal/memories'
const pageSize = 50

const given = (scope: Scope) => Object.fromEntries(Object.entries(scope).filter(([, value]) => value !== ''))

/** Memories of a scope, the latest first; or those that fit some words, the best first. */
export function useMemories(scope: Scope, search: string) {
  const api = useApi()
  const pages = useInfiniteQuery({
    queryKey: ['memories', scope, search],
    queryFn: ({ pageParam, signal }) => {
      const body = { ...given(scope), limit: pageSize, ...(search ? { query: search } : pageParam && { after: pageParam }) }
      return api.query<{ data?: Memory[]; has_more?: boolean }>(`${root}/${search ? 'search' : 'list'}`, body, signal)
    },
    initialPageParam: '',
    // What is searched for comes by rank, in one page.
    getNextPageParam: (page) => (page.has_more && !search ? page.data?.at(-1)?.id : undefined),
    placeholderData: keepPreviousData,
  })
  return { ...pages, items: pages.data?.pages.flatMap((page) => page.data ?? []) ?? [] }
}

export function useMemoryCommands() {
  const api = useApi()
  const queries = useQueryClient()
  const onSuccess = () => queries.invalidateQueries({ queryKey: ['memories'] })
  return {
    add: useMutation({ mutationFn: (draft: MemoryDraft) => api.post<Memory>(root, draft), onSuccess }),
    remove: useMutation({ mutationFn: (id: string) => api.delete(`${root}/${encodeURIComponent(id)}`), onSuccess }),
  }
}
