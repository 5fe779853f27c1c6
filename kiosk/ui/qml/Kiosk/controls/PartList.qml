pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Layouts
import Kiosk
import Kiosk.View

// The parts of the kiosk for a technician: pictogram, name, state in a word, then one paragraph a line of the detail.
Rectangle {
    id: list
    implicitHeight: column.implicitHeight + 2 * Metrics.mm(Metrics.narrow ? 3 : 5)
    radius: Metrics.radius
    color: Theme.surface
    border.width: Metrics.hair
    border.color: Theme.hairline

    ColumnLayout {
        id: column
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.verticalCenter: parent.verticalCenter
        anchors.margins: Metrics.mm(Metrics.narrow ? 3 : 6)
        spacing: Metrics.mm(Metrics.narrow ? 4 : 6)

        Repeater {
            model: View.rows

            RowLayout {
                id: part
                required property string title
                required property string word
                required property string detail
                required property string pictogram
                required property string tone

                spacing: Metrics.mm(4)
                Layout.fillWidth: true

                KIcon {
                    Layout.preferredWidth: Metrics.mmText(7)
                    Layout.preferredHeight: Metrics.mmText(7)
                    Layout.alignment: Qt.AlignTop
                    Layout.topMargin: Metrics.mmText(2)
                    weight: 3
                    name: part.pictogram
                    color: Theme.tone(part.tone)
                }
                ColumnLayout {
                    spacing: Metrics.mm(2)
                    Layout.fillWidth: true

                    GridLayout {
                        columns: name.implicitWidth + state.implicitWidth + columnSpacing <= width ? 2 : 1
                        columnSpacing: Metrics.gapWide
                        rowSpacing: 0
                        Layout.fillWidth: true

                        KText {
                            id: name
                            Layout.fillWidth: true
                            text: part.title
                            font.weight: Font.DemiBold
                        }
                        KText {
                            id: state
                            Layout.fillWidth: parent.columns === 1
                            text: part.word
                            color: Theme.tone(part.tone)
                            font.weight: Font.DemiBold
                        }
                    }
                    Repeater {
                        model: part.detail === "" ? [] : part.detail.split("\n")

                        KText {
                            required property string modelData

                            Layout.fillWidth: true
                            text: modelData
                            lineHeight: 1.1
                            wrapMode: Text.Wrap // a name or a path may be longer than the line
                        }
                    }
                }
            }
        }
    }
}
