import Kiosk

ListPage {}
