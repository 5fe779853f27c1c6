pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// Before and after, line by line: what, the word that says what kind of change, both values.
ColumnLayout {
    id: table
    spacing: Metrics.mm(4)

    Repeater {
        model: View.changes

        Rectangle {
            id: line
            required property string label
            required property string before
            required property string after
            required property string word
            required property string tone
            required property bool masked

            Layout.fillWidth: true
            implicitHeight: column.implicitHeight + 2 * Metrics.mm(4)
            radius: Metrics.radius
            color: Theme.surface
            border.width: Metrics.hair
            border.color: Theme.hairline

            Rectangle {
                width: Metrics.mm(2)
                height: parent.height - 2 * Metrics.radius
                anchors.verticalCenter: parent.verticalCenter
                color: Theme.tone(line.tone)
            }
            ColumnLayout {
                id: column
                anchors.left: parent.left
                anchors.right: parent.right
                anchors.verticalCenter: parent.verticalCenter
                anchors.leftMargin: Metrics.mm(7)
                anchors.rightMargin: Metrics.mm(5)
                spacing: Metrics.mm(1.5)

                RowLayout {
                    spacing: Metrics.gap

                    KText {
                        Layout.fillWidth: true
                        text: line.label
                        font.weight: Font.DemiBold
                    }
                    KIcon {
                        Layout.preferredWidth: Metrics.mmText(7)
                        Layout.preferredHeight: Metrics.mmText(7)
                        weight: 2.5
                        name: line.masked ? "eye_off" : line.tone === "ok" ? "check" : line.tone === "warn" ? "warning" : "info"
                        color: Theme.tone(line.tone)
                    }
                    KText {
                        text: line.word
                        color: Theme.tone(line.tone)
                        font.weight: Font.DemiBold
                    }
                }
                GridLayout {
                    visible: !line.masked
                    columns: 2
                    columnSpacing: Metrics.gap
                    rowSpacing: Metrics.mm(0.5)

                    KText {
                        text: View.past ? Words.was : Words.before
                        color: Theme.muted
                    }
                    KText {
                        Layout.fillWidth: true
                        text: line.before
                        color: Theme.muted
                    }
                    KText {
                        text: View.past ? Words.now : Words.after
                        color: Theme.muted
                    }
                    KText {
                        Layout.fillWidth: true
                        text: line.after
                        font.weight: Font.DemiBold
                    }
                }
            }
        }
    }
}
