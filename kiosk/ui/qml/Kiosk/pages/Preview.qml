import Kiosk

ChangesPage {}
