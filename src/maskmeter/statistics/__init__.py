"""What is counted. A statistic is measured on one pair of masks, pixels are dropped, and statistics add up.

confusion   pixels of every pair (ground-truth class, predicted class)
scores      positive and negative pixels with each score; for several classes `class_scores`
overlap     objects of both sides, and the pixels each two share
detections  scored objects in the order of their scores, and which of them match
encounters  scored objects with all that they meet, of whatever class
topology    components, holes, cavities and skeletons of each class
surface     distances between the boundaries of each class; `bands`: pixels along them

How each merges is written beside it: counts are added, rows concatenated, conventions must be equal (else
MergeError), and a ratio is never stored.
"""
