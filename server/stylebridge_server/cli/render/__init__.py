"""`stylebridge render`: a clip in, a styled clip out, through the same server that the editors' plugins use.

    command     what is written on the command line
    job         what that asks for
    run         a job from its source to its outcome
    pipeline    pictures from the server to the file
    outcome     what is said at the end
    sheet       the contact sheet

Nothing is imported here: the command line must start fast.
"""
