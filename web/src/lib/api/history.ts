import type { ApiClient } from './client'

/** One difference, as in JSON Patch. */
export interface Change {
  path: string
  op: 'add' | 'remove' | 'replace'
  before?: unknown
  after?: unknown
}

/** One revision of a resource: who made it, when, and what it changed. */
export interface HistoryEntry {
  revision: number
  position: number
  type: string
  actor: string
  recordedAt: string
  erased: boolean
  changes: Change[]
}

export interface HistoryPage {
  entries: HistoryEntry[]
  next: string
}

/** An entry as either mount spells it. */
export function toEntry(raw: Record<string, unknown>): HistoryEntry {
  return {
    revision: Number(raw.revision),
    position: Number(raw.position),
    type: String(raw.type ?? ''),
    actor: String(raw.actor ?? ''),
    recordedAt: String(raw.recordedAt ?? raw.recorded_at ?? ''),
    erased: raw.erased === true,
    changes: Array.isArray(raw.changes) ? (raw.changes as Change[]) : [],
  }
}

/** A page of a resource's revisions, the latest first. */
export async function loadHistory(api: ApiClient, path: string, next: string, signal?: AbortSignal): Promise<HistoryPage> {
  const plain = path.startsWith('/v1/')
  const page = await api.list<Record<string, unknown>>(`${path}/history`, { limit: 100, [plain ? 'after' : 'cursor']: next }, signal)
  const entries = page.items.map(toEntry)
  const last = entries.at(-1)
  // The plain mount pages by the last item that was seen, whose id is its revision.
  return { entries, next: page.hasMore ? page.nextCursor || String(last?.revision ?? '') : '' }
}
