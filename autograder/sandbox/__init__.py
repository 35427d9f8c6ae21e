"""The sandbox: host.py is the trusted end, guest.py the student's."""
