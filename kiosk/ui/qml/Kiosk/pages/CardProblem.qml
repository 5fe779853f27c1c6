import Kiosk

AnswersPage {}
