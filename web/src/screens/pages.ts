import type { LucideIcon } from 'lucide-react'
import { Bot, Boxes, Brain, Eraser, GraduationCap, Layers, LayoutDashboard, Library, MessageSquare, Radio, ScrollText, ShieldCheck, Trophy, Wallet, Workflow } from 'lucide-react'

export interface PageEntry {
  to: string
  label: string
  /** For the tabs of a phone. */
  short?: string
  icon: LucideIcon
}

/** Every page of the sidebar, by what somebody comes for. */
export const groups: { name: string; pages: PageEntry[] }[] = [
  {
    name: 'Observe',
    pages: [
      { to: '', label: 'Overview', icon: LayoutDashboard },
      { to: 'logs', label: 'Inference log', short: 'Log', icon: ScrollText },
      { to: 'events', label: 'Live events', short: 'Events', icon: Radio },
    ],
  },
  {
    name: 'Build',
    pages: [
      { to: 'chat', label: 'Chat', icon: MessageSquare },
      { to: 'agents', label: 'Agents', icon: Bot },
      { to: 'workflows', label: 'Workflows', icon: Workflow },
      { to: 'trainings', label: 'Trainings', icon: GraduationCap },
      { to: 'leaderboards', label: 'Leaderboards', icon: Trophy },
    ],
  },
  {
    name: 'Data',
    pages: [
      { to: 'knowledge', label: 'Knowledge', icon: Library },
      { to: 'memories', label: 'Memories', icon: Brain },
      { to: 'resources', label: 'Resources', icon: Boxes },
    ],
  },
  {
    name: 'Admin',
    pages: [
      { to: 'budgets', label: 'Budgets', icon: Wallet },
      { to: 'audit', label: 'Audit', icon: ShieldCheck },
      { to: 'privacy', label: 'Privacy', icon: Eraser },
      { to: 'projections', label: 'Projections', icon: Layers },
    ],
  },
]
