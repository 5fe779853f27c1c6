import Kiosk

PicturePage {}
