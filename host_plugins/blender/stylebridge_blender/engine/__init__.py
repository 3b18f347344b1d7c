# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs: what runs beside Blender's main thread, and how it comes back."""
