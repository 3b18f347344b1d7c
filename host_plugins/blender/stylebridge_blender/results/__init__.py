# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes back: files in a folder that the user can see, and the strips that show them."""
