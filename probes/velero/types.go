package velero

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What is read of Velero's objects. Everything else in them is left alone.

type location struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Provider            string            `json:"provider"`
		Default             bool              `json:"default"`
		AccessMode          string            `json:"accessMode"`
		ValidationFrequency *metav1.Duration  `json:"validationFrequency"`
		Config              map[string]string `json:"config"`
		ObjectStorage       *struct {
			Bucket string `json:"bucket"`
			Prefix string `json:"prefix"`
		} `json:"objectStorage"`
	} `json:"spec"`
	Status struct {
		Phase              string       `json:"phase"`
		LastValidationTime *metav1.Time `json:"lastValidationTime"`
		Message            string       `json:"message"`
	} `json:"status"`
}

func (l *location) bucket() string {
	if l.Spec.ObjectStorage == nil {
		return ""
	}
	return l.Spec.ObjectStorage.Bucket
}

type schedule struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Schedule string `json:"schedule"`
		Paused   bool   `json:"paused"`
		Template struct {
			StorageLocation          string `json:"storageLocation"`
			DefaultVolumesToFsBackup *bool  `json:"defaultVolumesToFsBackup"`
			SnapshotMoveData         *bool  `json:"snapshotMoveData"`
		} `json:"template"`
	} `json:"spec"`
	Status struct {
		Phase            string       `json:"phase"`
		LastBackup       *metav1.Time `json:"lastBackup"`
		LastSkipped      *metav1.Time `json:"lastSkipped"`
		ValidationErrors []string     `json:"validationErrors"`
	} `json:"status"`
}

// base is the time from which Velero counts to the next run: the last one that it submitted or skipped, or else the creation.
func (s *schedule) base() time.Time {
	base := s.CreationTimestamp.Time
	if s.Status.LastBackup != nil {
		base = s.Status.LastBackup.Time
	}
	if s.Status.LastSkipped != nil && s.Status.LastSkipped.After(base) {
		base = s.Status.LastSkipped.Time
	}
	return base
}

type backup struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		StorageLocation string `json:"storageLocation"`
	} `json:"spec"`
	Status struct {
		Phase                    string       `json:"phase"`
		StartTimestamp           *metav1.Time `json:"startTimestamp"`
		CompletionTimestamp      *metav1.Time `json:"completionTimestamp"`
		Expiration               *metav1.Time `json:"expiration"`
		Errors                   int          `json:"errors"`
		Warnings                 int          `json:"warnings"`
		FailureReason            string       `json:"failureReason"`
		ValidationErrors         []string     `json:"validationErrors"`
		VolumeSnapshotsAttempted int          `json:"volumeSnapshotsAttempted"`
		VolumeSnapshotsCompleted int          `json:"volumeSnapshotsCompleted"`
		CSIAttempted             int          `json:"csiVolumeSnapshotsAttempted"`
		CSICompleted             int          `json:"csiVolumeSnapshotsCompleted"`
		Progress                 *struct {
			TotalItems    int `json:"totalItems"`
			ItemsBackedUp int `json:"itemsBackedUp"`
		} `json:"progress"`
	} `json:"status"`
}

// started is when the backup began; one that was refused or still waits never did, and counts from its creation. A backup that was synced
// from the store into a new cluster keeps its true start.
func (b *backup) started() time.Time {
	if b.Status.StartTimestamp != nil {
		return b.Status.StartTimestamp.Time
	}
	return b.CreationTimestamp.Time
}

// stage sorts the phases of a backup. A phase that it does not know belongs to a newer Velero and is taken for one on the way.
func (b *backup) stage() stage {
	switch b.Status.Phase {
	case "Completed":
		return completed
	case "PartiallyFailed", "Failed", "FailedValidation", "FinalizingPartiallyFailed", "WaitingForPluginOperationsPartiallyFailed", "Deleting":
		return failed
	}
	return running
}

type stage int

const (
	running stage = iota
	completed
	failed // or certain to end so
)

// scheduleLabel is how a backup knows the schedule that it was made by.
const scheduleLabel = "velero.io/schedule-name"
